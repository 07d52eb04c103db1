"""Responses of ONVIF devices for tests, as their makers write them."""

SOAP = (
    '<?xml version="1.0" encoding="UTF-8"?><env:Envelope '
    'xmlns:env="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:tds="http://www.onvif.org/ver10/device/wsdl" '
    'xmlns:trt="http://www.onvif.org/ver10/media/wsdl" '
    'xmlns:tr2="http://www.onvif.org/ver20/media/wsdl" '
    'xmlns:tt="http://www.onvif.org/ver10/schema" '
    'xmlns:ter="http://www.onvif.org/ver10/error"><env:Body>{}</env:Body></env:Envelope>'
)
FAULT = (
    "<env:Fault><env:Code><env:Value>env:Sender</env:Value><env:Subcode><env:Value>{subcode}"
    "</env:Value></env:Subcode></env:Code><env:Reason><env:Text>{text}</env:Text></env:Reason>"
    "</env:Fault>"
)
INFORMATION = (
    "<tds:GetDeviceInformationResponse><tds:Manufacturer>Acme</tds:Manufacturer>"
    "<tds:Model>IPC-1</tds:Model><tds:FirmwareVersion>1.2</tds:FirmwareVersion>"
    "<tds:SerialNumber>S1</tds:SerialNumber><tds:HardwareId>H</tds:HardwareId>"
    "</tds:GetDeviceInformationResponse>"
)


def message(body: str) -> bytes:
    return SOAP.format(body).encode()


def fault(subcode: str = "ter:NotAuthorized", text: str = "Sender not Authorized") -> bytes:
    return message(FAULT.format(subcode=subcode, text=text))


def moment(name: str, date: str, time: str) -> str:
    """A date and time, `2026-11-28` and `12:00:00`, as ONVIF writes them."""
    year, month, day = date.split("-")
    hour, minute, second = time.split(":")
    return (
        f"<tt:{name}><tt:Time><tt:Hour>{hour}</tt:Hour><tt:Minute>{minute}</tt:Minute>"
        f"<tt:Second>{second}</tt:Second></tt:Time><tt:Date><tt:Year>{year}</tt:Year>"
        f"<tt:Month>{month}</tt:Month><tt:Day>{day}</tt:Day></tt:Date></tt:{name}>"
    )


def clock(*parts: str, zone: str = "", summer: str = "false") -> bytes:
    """A GetSystemDateAndTimeResponse with these times."""
    zone = f"<tt:TimeZone><tt:TZ>{zone}</tt:TZ></tt:TimeZone>" if zone else ""
    return message(
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime>"
        f"<tt:DaylightSavings>{summer}</tt:DaylightSavings>{zone}{''.join(parts)}"
        "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
    )


def profile(
    token: str,
    source: str = "V1",
    encoding: str = "H264",
    width: int = 1920,
    height: int = 1080,
    rate: str = "25",
) -> str:
    """A profile of Media; without encoding, one that says nothing of its encoder."""
    encoder = (
        f"<tt:VideoEncoderConfiguration><tt:Encoding>{encoding}</tt:Encoding><tt:Resolution>"
        f"<tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>"
        f"<tt:RateControl><tt:FrameRateLimit>{rate}</tt:FrameRateLimit></tt:RateControl>"
        "</tt:VideoEncoderConfiguration>"
    )
    configuration = (
        f"<tt:VideoSourceConfiguration><tt:SourceToken>{source}</tt:SourceToken>"
        "</tt:VideoSourceConfiguration>"
    )
    return (
        f'<trt:Profiles token="{token}" fixed="true"><tt:Name>{token}</tt:Name>'
        f"{configuration if source else ''}{encoder if encoding else ''}</trt:Profiles>"
    )


def profile2(token: str, source: str = "V1", encoding: str = "H265") -> str:
    """A profile of Media2."""
    return (
        f'<tr2:Profiles token="{token}"><tr2:Name>{token}</tr2:Name><tr2:Configurations>'
        f'<tr2:VideoSource token="c"><tt:SourceToken>{source}</tt:SourceToken></tr2:VideoSource>'
        f'<tr2:VideoEncoder token="e"><tt:Encoding>{encoding}</tt:Encoding><tt:Resolution>'
        "<tt:Width>3840</tt:Width><tt:Height>2160</tt:Height></tt:Resolution><tt:RateControl>"
        "<tt:FrameRateLimit>12.5</tt:FrameRateLimit></tt:RateControl></tr2:VideoEncoder>"
        "</tr2:Configurations></tr2:Profiles>"
    )
