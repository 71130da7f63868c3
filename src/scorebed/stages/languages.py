"""Language tags: ``de``, ``deu``, ``ger`` and ``de-AT`` are one language."""

from __future__ import annotations

_SAME = """
sq alb sqi|hy arm hye|eu baq eus|my bur mya|zh chi zho|cs cze ces|nl dut nld|fr fre fra|ka geo kat
de ger deu|el gre ell|is ice isl|mk mac mkd|mi mao mri|ms may msa|fa per fas|ro rum ron|sk slo slk
bo tib bod|cy wel cym|af afr|ar ara|az aze|be bel|bn ben|bs bos|bg bul|ca cat|da dan|en eng|eo epo
et est|fi fin|fo fao|ga gle|gd gla|gl glg|gu guj|he heb|hi hin|hr hrv|hu hun|id ind|it ita|ja jpn
kk kaz|km khm|kn kan|ko kor|ku kur|ky kir|la lat|lb ltz|lo lao|lt lit|lv lav|ml mal|mn mon|mr mar
mt mlt|nb nob|ne nep|nn nno|no nor|or ori|pa pan|pl pol|ps pus|pt por|rm roh|ru rus|rw kin|sa san
si sin|sl slv|es spa|so som|sr srp|sv swe|sw swa|ta tam|te tel|tg tgk|th tha|tk tuk|tl tgl|tr tur
ug uig|uk ukr|ur urd|uz uzb|vi vie|xh xho|yi yid|yo yor|zu zul
"""
"""ISO 639: two letters, then three; where a language has two such codes, B before T."""
_CANONICAL = {
    code: codes.split()[0]
    for line in _SAME.split("\n")
    for codes in line.split("|")
    for code in codes.split()
}


def same_language(asked: str, tag: str | None) -> bool:
    """Whether a stream's tag is of the language that was asked for.

    Args:
        asked: A code of ISO 639, or a whole tag (``pt-BR``), which then has to be the same.
        tag: What the container says; None where it says nothing, which is ``und``.
    """
    asked, tag = asked.casefold(), (tag or "und").casefold()
    return asked == tag or _canonical(asked) == _canonical(tag.partition("-")[0])


def _canonical(code: str) -> str:
    return _CANONICAL.get(code, code)
