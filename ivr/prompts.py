"""Every sentence the hotline says, in both languages.

`asterisk-conf/sounds/render.py` renders each to `asterisk-conf/sounds/<language>/<name>.wav` (8 kHz, mono, 16 bit).
Asterisk finds them by `sound_search` language folders; a name with a slash is a folder, as in Asterisk's own sets.
The `queue-*` names are the ones app_queue plays for a caller's place in the queue.
"""

from typing import Final, Literal

Language = Literal["zh", "en"]

LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")

PROMPTS: Final[dict[str, dict[Language, str]]] = {
    "greeting": {
        "zh": "您好，一二三四五政务热线。",
        "en": "Welcome to the one two three four five hotline.",
    },
    "recording-notice": {
        "zh": "本次通话将被录音。",
        "en": "This call may be recorded.",
    },
    "key-english": {
        "zh": "英语服务请按一。",
        "en": "For English, press one.",
    },
    "key-enterprise": {
        "zh": "企业服务请按二。",
        "en": "For business services, press two.",
    },
    "connecting": {
        "zh": "正在为您转接人工服务。",
        "en": "Connecting you to a person.",
    },
    "nobody-on-duty": {
        "zh": "非常抱歉，现在没有话务员在线，您的来电已经登记。请稍后再拨。",
        "en": "We are sorry. Nobody is available to take your call. Your call has been noted. Please call again later.",
    },
    "all-busy": {
        "zh": "非常抱歉，话务员全忙，让您久等了。您的来电已经登记，请稍后再拨。",
        "en": "We are sorry. All our staff are busy. Your call has been noted. Please call again later.",
    },
    "lines-full": {
        "zh": "非常抱歉，线路繁忙，请稍后再拨。",
        "en": "We are sorry. All lines are busy. Please call again later.",
    },
    "fault": {
        "zh": "非常抱歉，系统出现故障，您的来电已经登记，请稍后再拨。",
        "en": "We are sorry. Something went wrong. Your call has been noted. Please call again later.",
    },
    "goodbye": {"zh": "再见。", "en": "Goodbye."},
    "queue-youarenext": {
        "zh": "下一个就为您接通。",
        "en": "You are next in line.",
    },
    "queue-thereare": {"zh": "您现在排在第", "en": "You are number"},
    "queue-callswaiting": {"zh": "位。", "en": "in line."},
    "queue-thankyou": {
        "zh": "感谢您的耐心等待。",
        "en": "Thank you for waiting.",
    },
    "queue-holdtime": {"zh": "预计等待时间", "en": "The estimated wait is"},
    "queue-minute": {"zh": "分钟。", "en": "minute."},
    "queue-minutes": {"zh": "分钟。", "en": "minutes."},
    "queue-seconds": {"zh": "秒。", "en": "seconds."},
    **{
        f"digits/{value}": {"zh": zh, "en": en}
        for value, zh, en in (
            ("0", "零", "zero"),
            ("1", "一", "one"),
            ("2", "二", "two"),
            ("3", "三", "three"),
            ("4", "四", "four"),
            ("5", "五", "five"),
            ("6", "六", "six"),
            ("7", "七", "seven"),
            ("8", "八", "eight"),
            ("9", "九", "nine"),
            ("10", "十", "ten"),
            ("11", "十一", "eleven"),
            ("12", "十二", "twelve"),
            ("13", "十三", "thirteen"),
            ("14", "十四", "fourteen"),
            ("15", "十五", "fifteen"),
            ("16", "十六", "sixteen"),
            ("17", "十七", "seventeen"),
            ("18", "十八", "eighteen"),
            ("19", "十九", "nineteen"),
            ("20", "二十", "twenty"),
            ("30", "三十", "thirty"),
            ("40", "四十", "forty"),
            ("50", "五十", "fifty"),
            ("60", "六十", "sixty"),
            ("70", "七十", "seventy"),
            ("80", "八十", "eighty"),
            ("90", "九十", "ninety"),
            ("hundred", "百", "hundred"),
            ("thousand", "千", "thousand"),
        )
    },
}
