"""Make talk.mp4 and montage.mp4 and their ground truth: `python sample_media/make.py [NAME ...]`.

Needs numpy, pillow and imageio-ffmpeg; talk.mp4 also the speech synthesiser flite on PATH. The
clips, this script and all that it draws and says are CC0 1.0.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import wave
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import imageio_ffmpeg
import montage
import numpy as np
import talk
from canvas import HEIGHT, WIDTH, developed
from sound import RATE_HZ, montage_sound, talk_sound

if TYPE_CHECKING:
    from clip import Clip
    from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
CLIPS = {clip.name: clip for clip in (talk.CLIP, montage.CLIP)}
SOUNDS = {"talk": talk_sound, "montage": montage_sound}
BT709 = (
    "-color_primaries",
    "bt709",
    "-color_trc",
    "bt709",
    "-colorspace",
    "bt709",
    "-color_range",
    "tv",
)
# A fixed number of threads, so that the number of cores does not change the picture.
X264 = "threads=4:lookahead-threads=1:aq-mode=3:aq-strength=0.9:keyint=250:bframes=6:deblock=1,1"


def frame(task: tuple[str, int]) -> bytes:
    """One frame of a clip, as packed RGB."""
    name, number = task
    clip = CLIPS[name]
    shot_index = sum(start <= number for start in clip.starts) - 1
    shot = clip.shots[shot_index]
    inside = number - clip.starts[shot_index]
    picture = shot.draw(float(inside / clip.frame_rate), inside / shot.frames)
    return developed(picture, vignette=clip.vignette)


def write_wav(path: Path, audio: NDArray[np.float64]) -> None:
    """Write 16-bit PCM with triangular dither."""
    rng = np.random.default_rng(9)
    dither = rng.uniform(-0.5, 0.5, audio.shape) + rng.uniform(-0.5, 0.5, audio.shape)
    pcm = np.clip(np.round(audio * 32767 + dither), -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(2)
        writer.setframerate(RATE_HZ)
        writer.writeframes(pcm.tobytes())


def encoder(clip: Clip, sound: Path, target: Path) -> list[str]:
    """The ffmpeg command that reads raw frames from its standard input."""
    raw = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        f"{WIDTH}x{HEIGHT}",
        "-framerate",
        str(clip.frame_rate),
        "-i",
        "pipe:0",
    ]
    picture = [
        "-vf",
        "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd,format=yuv420p",
        "-c:v",
        "libx264",
        "-preset",
        "veryslow",
        "-crf",
        str(clip.crf),
        "-x264-params",
        X264,
        *BT709,
    ]
    audio = ["-c:a", "aac", "-b:a", f"{clip.audio_bitrate_kbps}k", "-ac", "2", "-ar", str(RATE_HZ)]
    exact = [
        "-map_metadata",
        "-1",
        "-fflags",
        "+bitexact",
        "-flags:v",
        "+bitexact",
        "-flags:a",
        "+bitexact",
        "-movflags",
        "+faststart",
    ]
    quiet = ["-hide_banner", "-loglevel", "error", "-y"]
    return [
        imageio_ffmpeg.get_ffmpeg_exe(),
        *quiet,
        *raw,
        "-i",
        str(sound),
        "-map",
        "0:v",
        "-map",
        "1:a",
        *picture,
        *audio,
        *exact,
        str(target),
    ]


def encode(clip: Clip, sound: Path, target: Path) -> None:
    """Draw every frame, in parallel, and feed ffmpeg."""
    tasks = [(clip.name, number) for number in range(clip.frames)]
    # Two dozen at a time: finished frames wait in memory while ffmpeg is busy.
    with (
        subprocess.Popen(encoder(clip, sound, target), stdin=subprocess.PIPE) as process,
        ProcessPoolExecutor(os.cpu_count()) as pool,
    ):
        assert process.stdin is not None
        for first in range(0, len(tasks), 24):
            for drawn in pool.map(frame, tasks[first : first + 24]):
                process.stdin.write(drawn)
            if first % 240 == 0:
                print(f"{clip.name}: frame {first} of {clip.frames}", flush=True)
        process.stdin.close()
    if process.returncode:
        sys.exit(f"{clip.name}: ffmpeg failed with {process.returncode}")


def truth(clip: Clip, spans: list[tuple[float, float]]) -> dict[str, object]:
    """What is in the clip, by construction."""
    return {
        "file": f"{clip.name}.mp4",
        "frame_rate": f"{clip.frame_rate.numerator}/{clip.frame_rate.denominator}",
        "frames": clip.frames,
        "duration_s": round(clip.seconds(clip.frames), 6),
        "cuts": [
            {"frame": start, "time_s": round(clip.seconds(start), 6)} for start in clip.starts[1:]
        ],
        "scenes": [
            {"frame": start, "time_s": round(clip.seconds(start), 6), "name": name}
            for start, name in clip.scene_starts
        ],
        "speech": [
            {"start_s": round(start, 3), "end_s": round(end, 3), "text": phrase.text}
            for phrase, (start, end) in zip(clip.phrases, spans, strict=True)
        ],
    }


def make(clip: Clip) -> None:
    """Write the clip and its ground truth beside this script."""
    samples = int(Fraction(clip.frames) / clip.frame_rate * RATE_HZ)
    audio, spans = SOUNDS[clip.name](clip, samples)
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.wav"
        write_wav(sound, audio)
        encode(clip, sound, HERE / f"{clip.name}.mp4")
    text = json.dumps(truth(clip, spans), indent=2) + "\n"
    (HERE / f"{clip.name}.json").write_text(text, encoding="utf-8")
    print(f"{clip.name}.mp4: {(HERE / f'{clip.name}.mp4').stat().st_size} bytes")


if __name__ == "__main__":
    for wanted in sys.argv[1:] or CLIPS:
        make(CLIPS[wanted])
