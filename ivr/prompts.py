"""Every sentence the hotline says, in both languages.

`asterisk-conf/sounds/render.py` renders each to `asterisk-conf/sounds/<language>/<name>.wav` (8 kHz, mono, 16 bit).
Asterisk finds them by `sound_search` language folders; a name with a slash is a folder, as in Asterisk's own sets.
The `queue-*` names are the ones app_queue plays for a caller's place in the queue.
"""

from typing import Final, Literal

Language = Literal["zh", "en"]

LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")

#: Sounds that are no speech, one for all languages: name -> Hz, seconds. `asterisk-conf/sounds/tones.py` makes them.
TONES: Final[dict[str, tuple[int, float]]] = {
    "supervision-tone": (1400, 0.4),  # to both sides, when a supervisor comes into their call
}

#: Sounds made of others, the same in every language: name -> the recordings that follow each other.
#: `asterisk-conf/sounds/tones.py` makes these, too.
JOINED: Final[dict[str, tuple[str, ...]]] = {
    "danger-in-both": ("zh/key-danger", "en/key-danger"),
}

PROMPTS: Final[dict[str, dict[Language, str]]] = {
    "greeting": {
        "zh": "您好，一二三四五政务热线。",
        "en": "Welcome to the one two three four five hotline.",
    },
    "recording-notice": {
        "zh": "本次通话将被录音。",
        "en": "This call may be recorded.",
    },
    "supervision-notice": {
        "zh": "值班长可能旁听。",
        "en": "A supervisor may listen in.",
    },
    "key-english": {
        "zh": "英语服务请按一。",
        "en": "For English, press one.",
    },
    "key-enterprise": {
        "zh": "企业服务请按二。",
        "en": "For business services, press two.",
    },
    "key-danger": {
        "zh": "紧急险情请按九。",
        "en": "For public danger, press nine.",
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
    # Announcements (公告) after the greeting, while one is switched on. Every second of them delays the answer.
    "announcement-storm": {
        "zh": "暴雨预警，请不要外出。",
        "en": "Storm warning. Please stay indoors.",
    },
    "announcement-outage": {
        "zh": "停水停电正在抢修。",
        "en": "Power and water cuts are under repair.",
    },
    "announcement-busy": {
        "zh": "来电较多，请您稍候。",
        "en": "Lines are very busy. Please hold.",
    },
    # After an old number of a bureau has been cut over (号码并入).
    "number-moved": {
        "zh": "您拨打的号码已并入一二三四五。",
        "en": "This number is now one two three four five.",
    },
    "survey-solved": {
        "zh": "请您评价本次服务。问题已解决请按一，未解决请按二。",
        "en": "Please rate this call. If your question was solved, press one. If not, press two.",
    },
    "survey-satisfied": {
        "zh": "满意请按一，基本满意请按二，不满意请按三。",
        "en": "Satisfied, press one. Fairly satisfied, press two. Not satisfied, press three.",
    },
    "survey-thanks": {"zh": "感谢您的评价，再见。", "en": "Thank you. Goodbye."},
    "callback-offer": {
        "zh": "需要回电并保留位置，请按三。",
        "en": "To be called back and keep your place, press three.",
    },
    "callback-number": {
        "zh": "轮到您时，我们将回拨这个号码。",
        "en": "When it is your turn, we will call you at this number.",
    },
    "callback-keep": {
        "zh": "确认请按一，更换号码请按二。",
        "en": "To confirm, press one. For another number, press two.",
    },
    "callback-type": {
        "zh": "请输入您的电话号码，固定电话请加区号，以井号键结束。",
        "en": "Please type your telephone number, with the area code, and end with the hash key.",
    },
    "callback-refused": {
        "zh": "抱歉，这个号码无法回拨。",
        "en": "We are sorry, we cannot call that number.",
    },
    "callback-noted": {
        "zh": "已为您登记，请保持电话畅通。",
        "en": "Your callback is noted. Please keep your telephone free.",
    },
    "callback-greeting": {
        "zh": "您好，一二三四五政务热线为您回电，正在接通。",
        "en": "This is the one two three four five hotline, calling you back. One moment, please.",
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
