"""Sound of cameras becomes AAC, in time and without end."""

from collections.abc import Callable
from dataclasses import replace

import av
import pytest

from tests.video.clips import Recorded
from tests.video.packets_of import packets_of
from video.audio import AacEncoder, Sound, Undecodable
from video.packets import AUDIO, AudioCoding, EncodedPacket

Packets = Callable[[str], Recorded]


def sound_of(recorded: Recorded) -> list[EncodedPacket]:
    return [packet for packet in packets_of(recorded) if packet.kind == AUDIO]


def test_g711_becomes_aac_in_time(recorded: Packets) -> None:
    import numpy

    packets = sound_of(recorded("pcma"))
    sound = Sound()
    blocks = [block for packet in packets for block in sound.as_aac(packet)]
    assert sound.note == ""
    coding = blocks[0].coding
    assert isinstance(coding, AudioCoding)
    assert (coding.encoding, coding.rate, coding.channels) == ("aac", 8000, 1)
    assert coding.codec == "mp4a.40.2"
    steps = [after.dts - before.dts for before, after in zip(blocks, blocks[1:], strict=False)]
    assert steps == pytest.approx([1024 / 8000] * len(steps))
    # The first block is what the encoder needs before the sound begins.
    assert blocks[1].dts == pytest.approx(packets[0].dts, abs=0.05)
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = coding.config
    frames = [frame for block in blocks for frame in decoder.decode(av.Packet(block.data))]
    wave = numpy.concatenate([frame.to_ndarray()[0] for frame in frames])[2048:]
    spectrum = numpy.abs(numpy.fft.rfft(wave[:8000]))
    assert numpy.argmax(spectrum) == 440


def test_aac_passes_as_it_is(recorded: Packets) -> None:
    packets = sound_of(recorded("aac"))
    sound = Sound()
    assert [sound.as_aac(packet) for packet in packets] == [[packet] for packet in packets]


@pytest.mark.parametrize("gap", [5.0, -5.0])
def test_a_pause_moves_the_sound_with_the_picture(recorded: Packets, gap: float) -> None:
    packets = sound_of(recorded("pcma"))
    half = len(packets) // 2
    moved = [replace(packet, dts=packet.dts + gap) for packet in packets[half:]]
    sound = Sound()
    blocks = [block for packet in packets[:half] + moved for block in sound.as_aac(packet)]
    assert blocks[-1].dts - moved[-1].dts == pytest.approx(-0.2, abs=0.2)


@pytest.mark.parametrize(
    "coding",
    [
        AudioCoding("pcm_mulaw", 8000, 1),
        AudioCoding("g722", 16_000, 1),
        AudioCoding("pcm_s16be", 44_100, 2),
        AudioCoding("pcm_s16be", 11_111, 1),
    ],
    ids=lambda coding: f"{coding.encoding}-{coding.rate}",
)
def test_other_sound_becomes_aac_too(coding: AudioCoding) -> None:
    encoder = AacEncoder(coding)
    size = coding.rate // 50 * coding.channels * (2 if coding.encoding == "pcm_s16be" else 1)
    size = 160 if coding.encoding == "g722" else size
    blocks = []
    for number in range(100):
        time = number / 50
        packet = EncodedPacket(AUDIO, bytes(size), time, time, True, time, time, coding)
        blocks += encoder.encode(packet)
    seconds = len(blocks) * 1024 / encoder.coding.rate
    assert seconds == pytest.approx(2.0, abs=0.3)
    assert encoder.errors == 0


def test_what_cannot_be_decoded_is_left_out_with_a_sentence() -> None:
    coding = AudioCoding("gsm_of_mars", 8000, 1)
    packet = EncodedPacket(AUDIO, b"abc", 0, 0, True, 0, 0, coding)
    sound = Sound()
    assert sound.as_aac(packet) == []
    assert sound.note == "The sound (gsm_of_mars) is left out."
    with pytest.raises(Undecodable):
        AacEncoder(coding)
