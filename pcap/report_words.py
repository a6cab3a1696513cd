"""The words of the report page in English and Chinese."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "language": ("中文", "English"),
    "findings": ("Findings", "发现"),
    "no_findings": ("Nothing stands out.", "没有发现异常。"),
    "from": ("from", "主叫"),
    "to": ("to", "被叫"),
    "state": ("state", "状态"),
    "begun": ("begun", "开始于"),
    "setup": ("until ringing", "拨号后等待"),
    "ring": ("rang", "振铃"),
    "talk": ("talked", "通话时长"),
    "end": ("ended by", "结束原因"),
    "message": ("Click on an arrow to read its message.", "点击箭头查看消息内容。"),
    "streams": ("Media streams", "媒体流"),
    "no_streams": ("No RTP stream.", "没有 RTP 流。"),
    "codec": ("codec", "编码"),
    "packets": ("packets", "包数"),
    "lost": ("lost", "丢失"),
    "duplicates": ("copies", "重复"),
    "reordered": ("out of order", "乱序"),
    "worst": ("most in a row", "最长连续丢失"),
    "keys": ("keys", "按键"),
    "max_delta": ("longest pause", "最大间隔"),
    "mean_jitter": ("mean jitter", "平均抖动"),
    "max_jitter": ("highest jitter", "最大抖动"),
    "skew": ("clock skew", "时钟偏差"),
    "mos": ("MOS", "MOS 分"),
    "length": ("length", "时长"),
    "plot_delta": ("Pauses", "包间隔"),
    "plot_jitter": ("Jitter", "抖动"),
    "plot_loss": ("Loss", "丢包"),
    "plot_rate": ("Bit rate", "码率"),
    "plot_mos": ("MOS", "MOS 分"),
    "silent": ("There is nothing to hear in it.", "其中没有声音。"),
    "protected": ("Encrypted: decrypt the capture first, then its sound is here.", "已加密：先解密捕获文件，即可在此收听。"),
    "cut": ("The sound is cut here; extract has it all.", "此处声音被截短；extract 可导出全部。"),
    "no_room": ("The page would become too large with this sound; extract has it.", "声音过大，未放入；请用 extract 导出。"),
    "broken": ("The file breaks off", "文件不完整"),
    "left_out": ("Not all is shown, the page would become too large", "内容过多，未全部显示"),
}
STATES = {
    "no response": ("no response", "无响应"), "calling": ("calling", "呼叫中"), "ringing": ("ringing", "振铃中"),
    "talking": ("talking", "通话中"), "ended": ("ended", "已结束"), "refused": ("refused", "被拒绝"),
    "cancelled": ("cancelled", "已取消"),
}
"""The states of a call (`pcap.calls`) in both languages."""


def english(name: str) -> str:
    """The English word."""
    return WORDS[name][0]


def both() -> dict[str, dict[str, str]]:
    """All words, as the page's script wants them."""
    return {name: {"en": en, "zh": zh} for name, (en, zh) in WORDS.items()}
