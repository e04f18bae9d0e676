"""Lengths of time as a person reads them, on the screen, in lines and in the log alike."""


def duration(seconds: float) -> str:
    """Write a length of time in its two largest units: `45s`, `2m16s`, `1h05m`, `3d04h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    minutes = whole // 60
    if minutes < 48 * 60:
        return f"{minutes // 60}h{minutes % 60:02d}m"
    return f"{minutes // 1440}d{minutes % 1440 // 60:02d}h"


def whole_minutes(seconds: float) -> str:
    """Write what nobody follows by the second: `45s`, and from a minute on `2m`, `1h05m`."""
    whole = int(seconds)
    return duration(whole if whole < 60 else whole - whole % 60).removesuffix("00s")
