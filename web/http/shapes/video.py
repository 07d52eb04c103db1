"""Live video as JSON: the state of a stream, its format, and who watches it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field
from typing_extensions import TypedDict

from video.model import MAIN, SUB, Init, StreamKey, StreamState
from web.http.payloads import Query
from web.http.stream_sessions import StreamSession
from web.http.stream_texts import detail_of, text_of

MAX_TILES = 36
MAX_WIDTH, MAX_RATE = 1920, 15.0
TILE = r"\d{1,9}:(main|sub|auto)(:jpeg)?"
TILES = f"^{TILE}(,{TILE})*$"

Quality = Literal["main", "sub"]


class StreamQuery(Query):
    """Which stream of the camera."""

    quality: Quality = Field("main", description="`sub`: the sub stream, if there is one.")


class PictureQuery(StreamQuery):
    """Which stream, and the largest width and rate of its pictures."""

    width: int | None = Field(None, ge=16, le=10_000, description="Pixels; 1280 by default.")
    rate: float | None = Field(
        None, gt=0, le=100, description="Pictures per second; 10 by default."
    )


class TilesQuery(Query):
    """The tiles of a page, such as `1:main,2:auto,3:sub:jpeg`: cameras by their numbers, each with
    a stream (`auto` is `sub` where there is one), and `jpeg` for one to be sent as pictures."""

    tiles: str = Field(min_length=1, max_length=1000, pattern=TILES)


class StreamInfo(TypedDict):
    """What a stream does now. `activity`: `opening`, `waiting`, `playing`, `no_picture`, `retrying`
    or `ended`; `text` and `detail` say it in words, `since` is when it began.

    `stream` is what is shown, which is `main` where there is no sub stream. `age`: seconds since
    its newest picture arrived at this server. `codecs` is for MediaSource; it is empty where MP4
    cannot hold the video.
    """

    stream: str
    activity: str
    text: str
    detail: str
    since: str
    now: str
    picture_at: str | None
    age: float | None
    codecs: str
    video: str
    audio: str
    width: int | None
    height: int | None
    key_distance: float | None
    notes: list[str]


class InitHead(TypedDict):
    """The format of the fragments that follow. `type` is for MediaSource."""

    type: str
    video: str
    audio: str
    width: int
    height: int


class StreamSessionRow(TypedDict):
    """A live view that runs or has ended. `kind`: `mp4`, `mjpeg`, or `wall` for a tile of a
    page; `seconds`: how long; `sent`: bytes."""

    id: int
    camera: int
    camera_name: str | None
    quality: str
    kind: str
    user: str
    client_ip: str
    user_agent: str
    started_at: str
    ended_at: str | None
    seconds: float
    sent: int
    is_active: bool


def stream_info(state: StreamState, key: StreamKey, now: datetime, asked: str = MAIN) -> StreamInfo:
    """`asked`: the stream that was asked for."""
    shown, at = state.format, state.picture_at
    notes = [*(shown.notes if shown else ())]
    if asked == SUB != key.name:
        notes.insert(0, "This camera has no sub stream. The main stream is shown.")
    return {
        "stream": key.name,
        "activity": state.activity,
        "text": text_of(state),
        "detail": detail_of(state),
        "since": state.since.isoformat(),
        "now": now.isoformat(),
        "picture_at": at.isoformat() if at else None,
        "age": round(max(0.0, (now - at).total_seconds()), 3) if at else None,
        "codecs": shown.codecs if shown else "",
        "video": shown.video if shown else "",
        "audio": shown.audio if shown else "",
        "width": shown.width if shown else None,
        "height": shown.height if shown else None,
        "key_distance": state.key_distance,
        "notes": notes,
    }


def init_head(init: Init) -> InitHead:
    shown = init.format
    return {
        "type": mp4_type(shown.codecs),
        "video": shown.video,
        "audio": shown.audio,
        "width": shown.width,
        "height": shown.height,
    }


def mp4_type(codecs: str) -> str:
    """The media type of fragmented MP4 with these codecs (RFC 6381)."""
    return f'video/mp4; codecs="{codecs}"'


def session_row(session: StreamSession, name: str | None, now: datetime) -> StreamSessionRow:
    viewer, ended = session.viewer, session.ended
    return {
        "id": session.id,
        "camera": session.key.device,
        "camera_name": name,
        "quality": session.key.name,
        "kind": session.kind,
        "user": viewer.name,
        "client_ip": viewer.address,
        "user_agent": viewer.agent,
        "started_at": session.began.isoformat(),
        "ended_at": ended.isoformat() if ended else None,
        "seconds": round(session.seconds(now), 1),
        "sent": session.sent,
        "is_active": ended is None,
    }


def session_rows(
    sessions: Sequence[StreamSession], names: dict[int, str], now: datetime
) -> list[StreamSessionRow]:
    return [session_row(session, names.get(session.key.device), now) for session in sessions]
