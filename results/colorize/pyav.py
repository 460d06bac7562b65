"""PyAV (FFmpeg's libraries), or one line that says what to install."""

from preprocessing.files import UserError

try:
    import av
except ImportError as error:
    raise UserError(f"films need PyAV: pip install -e '.[film]' ({error})") from None

__all__ = ["av"]
