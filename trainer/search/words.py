"""The words that hold a query together, in English and Chinese, as RE2 patterns."""

from __future__ import annotations

HARD_BREAKS = (
    r"\.(?:\s|$)|[,;!?:()\[\]{}\"\n\r\t/|，；。！？：、（）【】《》“”…]+",
    r"\b(?:but(?: also)?|however|though|although|except that|plus|as well as|rather)\b",
    r"(?:但是|但|不过|可是|然而|另外|而是)",
)
"""Where a part of a query ends, and with it what a negation reaches."""

SOFT_BREAKS = (r"\b(?:and|or|nor|&)\b|\s&\s", r"(?:以及|还有|或者|并且|而且|和|与|或|及)")
"""Where one interest ends and the next begins that is meant the same way: 'no horror or war'."""

NO_NEGATIONS = (
    r"\b(?:not only|not just|nothing but|no matter|why not|not to mention)\b",
    r"(?:不仅|不但|不只)",
)
"""What looks like a negation and is none."""

NEGATIONS = (
    r"\b(?:(?:i )?(?:do not|don'?t|don’t|did not|didn'?t|would not|wouldn'?t) (?:really )?"
    r"(?:want|like|need|care for|enjoy|love)(?: to (?:see|watch|read|buy|have|hear))?"
    r"|no more|no|not|nothing|none of|never|without|except(?: for)?|excluding|exclude|avoid(?:ing)?"
    r"|anything but|other than|minus|hate|dislike|free of|neither)\b",
    r"(?:我?(?:不要|不想要|不想看|不想|不看|不喜欢|不爱|不含|不带|不能有|讨厌|拒绝|避免|排除|除了|没有|别要|别给|别太|别))",
    r"^不",
)
"""What stands before something that is not wanted."""

STOP_WORDS = (
    "i|me|my|we|us|our|you|your|it|its|a|an|the|this|that|these|those|some|any|something|anything|someone|one|"
    "ones|please|want|wants|wanted|would|like|love|need|looking|look|for|show|find|give|recommend|suggest|"
    "search|get|see|watch|read|buy|have|with|about|of|to|in|on|at|is|are|be|am|was|were|do|does|can|could|also|"
    "too|very|really|just|maybe|perhaps|kind|sort|stuff|things|thing|which|who|what|as|from|by|so|more|most|"
    "much|many|lots|lot|good|nice|great|best|i'm|i'd|i’d|i’m|id|im|let|let's|both|either|and|or|but|hi|hello|"
    "thanks|thank|definitely|absolutely|certainly|especially|preferably|ideally|possibly|only|even|all|quite|simply|"
    "mostly|mainly|totally|rather"
)
"""English words that say nothing where an interest begins or ends, and alone are no interest."""

CHINESE_STOP_WORDS = (
    "我想要|我想看|我想|我要|我|想要|想看|想找|想|请问|请|帮我|给我|推荐|来点|来些|来|找|看看|看|有没有|有|关于|一些|一部|"
    "一个|一下|几部|的|了|吧|吗|呢|啊|也|都|很|比较|最好|最|那种|这种|之类|类似|喜欢|需要|就|还|要|是|太"
)
"""The same in Chinese, the longer ones first."""
