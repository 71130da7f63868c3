"""Pictures of high dynamic range, brought to a display that has none: for looking, not for work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Transfer = Literal["pq", "hlg"]
_WHITE_NITS = 203.0
"""Diffuse white of HDR (ITU-R BT.2408)."""
_PEAK_NITS = 1000.0
"""What is still told from white, in cd/m2; also the nominal peak of an HLG display."""
_SRGB_KNEE, _HLG_KNEE = 0.0031308, 0.5
"""Where the curves of sRGB and HLG change their form."""
_BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
"""Primaries (ITU-R BT.2087, rounded)."""


def to_sdr(picture: NDArray[np.uint8], transfer: Transfer) -> NDArray[np.uint8]:
    """An RGB picture with BT.2020 primaries as sRGB shows it.

    Args:
        picture: Shape (height, width, 3), 0 to 255, as it was coded.
        transfer: ``pq`` (SMPTE ST 2084) or ``hlg`` (ITU-R BT.2100).

    Returns:
        The same shape, for an ordinary display.
    """
    coded = picture.astype(np.float64) / 255
    nits = _pq_nits(coded) if transfer == "pq" else _hlg_nits(coded)
    light = np.maximum(nits / _WHITE_NITS @ _BT2020_TO_BT709.T, 0.0)
    # Extended Reinhard on the brightest colour: hues stay, highlights bend instead of breaking.
    brightest = light.max(axis=2, keepdims=True)
    top = _PEAK_NITS / _WHITE_NITS
    light *= (1 + brightest / top**2) / (1 + brightest) * 1.25
    shown = np.where(light <= _SRGB_KNEE, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.clip(shown * 255, 0, 255).round(), dtype=np.uint8)


def _pq_nits(coded: NDArray[np.float64]) -> NDArray[np.float64]:
    """EOTF of SMPTE ST 2084, in cd/m2."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = coded ** (1 / m2)
    return np.asarray(10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1))


def _hlg_nits(coded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse OETF and OOTF (gamma 1.2) of ITU-R BT.2100, in cd/m2."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(coded <= _HLG_KNEE, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    return np.asarray(_PEAK_NITS * luminance[..., None] ** 0.2 * scene)
