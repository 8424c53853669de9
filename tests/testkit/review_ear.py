"""What the review page really plays, sample by sample, and what it should have played.

The page's context is tapped by an audio worklet of the test's own; the sound itself goes on as it
would. The tap's browser context must let the worklet in: `bypass_csp`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TAP = """
(() => {
  const worklet = `registerProcessor("tap", class extends AudioWorkletProcessor {
    process([input]) {
      if (input.length) this.port.postMessage({ frame: currentFrame, sides: input });
      return true;
    }
  });`;
  const heard = (window.heard = { blocks: [], starts: [] });
  const { connect } = AudioNode.prototype;
  const { resume } = AudioContext.prototype;
  const { start } = AudioBufferSourceNode.prototype;
  AudioContext.prototype.resume = async function () {
    if (!this.tap) {
      const module = URL.createObjectURL(new Blob([worklet], { type: "text/javascript" }));
      await this.audioWorklet.addModule(module);
      const options = { channelCount: 2, channelCountMode: "explicit", outputChannelCount: [2] };
      this.tap = new AudioWorkletNode(this, "tap", options);
      this.tap.port.onmessage = ({ data }) => heard.blocks.push(data);
      connect.call(this.tap, this.destination);
    }
    return resume.call(this);
  };
  AudioNode.prototype.connect = function (to, ...rest) {
    const tap = to === this.context.destination && this.context.tap;
    if (tap) connect.call(this, tap);
    return connect.call(this, to, ...rest);
  };
  AudioBufferSourceNode.prototype.start = function (when, ...rest) {
    if (this.context instanceof AudioContext) heard.starts.push(when);
    return start.call(this, when, ...rest);
  };
})();
"""
_PACK = """
const pack = (samples) => {
  const raw = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = "";
  for (let at = 0; at < raw.length; at += 32768)
    text += String.fromCharCode(...raw.subarray(at, at + 32768));
  return btoa(text);
};
"""

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heard:
    """What was played: `samples` of shape (samples, 2), from the context's `first` frame on."""

    samples: Sound
    first: int


def tap(context: Any) -> None:
    """Listens to every page that the browser's context opens from now on."""
    context.add_init_script(_TAP)


def heard(page: Any) -> Heard:
    """All that was played since the page was opened; fails where the tap itself missed a block."""
    told = page.evaluate(
        f"""(() => {{ {_PACK}
        const {{ blocks }} = window.heard;
        const length = 128;
        const sides = [0, 1].map(() => new Float32Array(length * blocks.length));
        blocks.forEach((block, index) =>
          sides.forEach((side, channel) => side.set(block.sides[channel], index * length)));
        return {{ frames: blocks.map((block) => block.frame), sides: sides.map(pack) }};
        }})()"""
    )
    frames = np.array(told["frames"])
    first = int(frames[0])
    samples = np.zeros((int(frames[-1]) - first + 128, 2), np.float32)
    sides = np.stack([_unpacked(side) for side in told["sides"]], axis=1).reshape(-1, 128, 2)
    # Blocks between two lanes, when nothing is connected, were silence.
    for frame, block in zip(frames, sides, strict=True):
        samples[frame - first : frame - first + 128] = block
    return Heard(samples, first)


def starts_s(page: Any) -> list[float]:
    """When each piece of sound was told to start, in the context's seconds."""
    return [float(when) for when in page.evaluate("window.heard.starts")]


def mixed(page: Any, stems: dict[str, Any], rung: dict[str, Any] | None) -> Sound:
    """What the page's own mixing code makes of a rung (None: of the original), all of it."""
    told = page.evaluate(
        f"""async ([stems, rung]) => {{ {_PACK}
        const mix = await import("/static/mix.js");
        const recipe = rung ? await mix.rungRecipe(rung) : mix.originalRecipe(stems);
        const made = await mix.render(recipe, stems, 0, stems.length_samples);
        const sides = [...Array(made.numberOfChannels).keys()];
        return sides.map((side) => pack(made.getChannelData(side)));
        }}""",
        [stems, rung],
    )
    return np.stack([_unpacked(side) for side in told], axis=1)


def _unpacked(text: str) -> Sound:
    return np.frombuffer(base64.b64decode(text), "<f4")


def level_db(samples: NDArray[np.floating[Any]]) -> float:
    """RMS in dB, of nothing -200 dB."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
    return 10 * float(np.log10(max(power, 1e-20)))
