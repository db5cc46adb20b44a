"""What a mail server's answer says of the address: one table of words, one of status codes, and the stage it was said at.

A code alone says little: many servers answer 550 to a sender they distrust, and 5.1.1 to one whom the recipient himself has
refused. So words come first, then the enhanced status (RFC 3463 and its registry), then the reply's three digits (RFC 5321
section 4.2.1).
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache

import msgspec

from sekisho.terms import MailGroup


class Stage(StrEnum):
    """Where in the dialogue something was said (RFC 5321 section 3.3)."""

    CONNECT = "connect"
    HELLO = "hello"
    TLS = "tls"
    LOGIN = "login"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    """Before the message: asking whether it may be sent."""
    END = "end-of-data"
    """After the message."""
    UNKNOWN = ""


class Said(msgspec.Struct, frozen=True):
    """What a server said of one recipient."""

    text: str = ""
    code: int | None = None
    """Three digits."""
    status: str = ""
    """Enhanced status, as `5.1.1`."""
    stage: Stage = Stage.UNKNOWN


_REPLY = re.compile(r"(?<![\d.])([245]\d\d)(?:[ \-:]+#?([245]\.\d{1,3}\.\d{1,3})(?![\d.]))?(?=[ \-:;<(#]|$)")
_STATUS = re.compile(r"(?<![\w./-])([245]\.[0-7]\.\d{1,3})(?![\w.-])")
_STAGES = (
    (Stage.END, r"end of (?:mail )?(?:data|message)|after i sent the message|in reply to \.|after (?:end-of-)?data\b|>>> \.\s"),
    (Stage.RCPT, r"rcpt to|does not like recipient|in reply to rcpt|after rcpt"),
    (Stage.MAIL, r"mail from:?(?: command)?[:<\s]|does not like sender|after mail\b"),
    (Stage.DATA, r">>> data\b|\(in reply to data command\)|reply to data"),
    (Stage.TLS, r"starttls"),
    (Stage.HELLO, r"in reply to (?:ehlo|helo)|after (?:ehlo|helo)"),
    (Stage.CONNECT, r"refused to talk to me|while (?:performing )?(?:initial )?(?:greeting|connection)|initial connection"),
)


def parse(text: str, status: str = "", stage: Stage = Stage.UNKNOWN) -> Said:
    """Find digits, enhanced status and stage in what a server said. What is given beside it fills what is not in it."""
    found = _REPLY.search(text)
    inner = _STATUS.search(text)
    told = (found and found[2]) or (inner[1] if inner else "") or ""
    # A machine-readable status that says nothing gives way to what stands in the words.
    better = told if told and (not status or status.endswith(".0.0")) else status or told
    return Said(text, int(found[1]) if found else None, better, stage if stage is not Stage.UNKNOWN else _stage_in(text))


def _stage_in(text: str) -> Stage:
    low = text.lower()
    return next((stage for stage, words in _STAGES if _pattern(words).search(low)), Stage.UNKNOWN)


@cache
def _pattern(words: str) -> re.Pattern[str]:
    """Compiled when the first answer comes: together they take a tenth of a second, and most nodes read none."""
    return re.compile(words)


# In this order: the first group one of whose words is in the text is the one.
_WORDS: tuple[tuple[MailGroup, tuple[str, ...]], ...] = (
    (MailGroup.SUPPRESSED, (
        r"suppression list", r"suppressed", r"previously (?:hard )?bounced", r"bounced too (?:often|many)", r"on our bounce list",
        r"recent(?:ly)? hard bounce", r"do(?:es)? not (?:send|mail) list", r"has unsubscribed", r"address is on hold (?:here|by)",
    )),
    (MailGroup.RATE, (
        r"rate[ -]?limit", r"throttl",
        r"too many (?:concurrent |simultaneous |open )?(?:smtp )?(?:connection|session|message|mail|recipient|email)s?",
        r"too much traffic",
        r"(?:receiving|sending|sent) (?:mail |messages |\w+ ){0,3}(?:at a rate|too (?:fast|quick|frequent|many|often))",
        r"connection (?:rate|frequency|limit)", r"unusual rate",
        r"(?:hourly|daily|message|sending|recipient|connection) (?:rate|limit|quota) (?:\w+ ){0,2}(?:exceed|reach)",
        r"(?:exceed|reach)\w* (?:\S+ ){0,5}(?:per (?:hour|minute|day|connection|session)|hourly|daily|sending limit|max(?:imum)? "
        r"(?:number of )?connections)",
        r"maximum (?:number of )?(?:concurrent |parallel )?(?:connections|sessions|messages per)", r"concurrent (?:connections|sessions)",
        r"please slow down", r"server busy", r"too busy", r"slow down", r"resources restricted", r"excessive (?:rate|volume|connections)",
        r"sent too many",
    )),
    (MailGroup.CONTENT_POLICY, (
        r"\bvirus", r"infected", r"malware", r"trojan", r"worm (?:found|detected)", r"phish",
        r"(?:message|mail|e-?mail|file|content|attachment|header|msg|body) (?:\S+ ){0,4}(?:too (?:large|big|long)|exceed\w* (?:\S+"
        r" ){0,4}(?:size|length|limit|maximum))",
        r"(?:message|mail) size (?:\S+ ){0,3}(?:exceed|limit|too|is )", r"size limit",
        r"exceed\w* (?:the |maximum |fixed |our |allowed ){0,3}(?:message|mail|allowed) ?size", r"maximum (?:message |allowed |mail )?size",
        r"line (?:is )?too long", r"too (?:big|large) for", r"message too (?:big|large)",
    )),
    (MailGroup.RECIPIENT_FILTER, (
        r"resolver\.rst\.", r"not authenticated when sending to th", r"sendernotauthenticatedfor",
    )),
    (MailGroup.OUR_IDENTITY, (
        r"relay(?:ing)?(?: \S+){0,3} (?:denied|not (?:allowed|permitted|authori[sz]ed)|prohibited|refused|disabled)", r"unable to relay",
        r"(?:not|n't|no|cannot|won't|denied) (?:\w+ ){0,4}relay", r"relay(?:ing)? (?:access|through|by|to|from)\b", r"relay not",
        r"not (?:an )?(?:open )?relay", r"authenticat(?:e|ion|ed) (?:is )?(?:required|needed|first)", r"must (?:be )?authenticate",
        r"not local; please try", r"reverse[ -]?(?:dns|lookup|name|address|mapping|path lookup)", r"\bptr\b", r"\brdns\b",
        r"cannot find your (?:reverse )?host", r"can(?:no|')t (?:find|resolve) your", r"your host ?name",
        r"no (?:valid )?(?:reverse|host ?name|dns) (?:entry|record|found) for (?:your|the client)", r"client host(?: \S+)? (?:rejected|blocked)",
        r"ip (?:address )?(?:\S+ )?(?:has no|lacks|without)", r"unresolvable (?:relay|host|client)", r"helo", r"invalid (?:ehlo|host ?name)",
        r"fix reverse", r"\bspf\b", r"\bdkim\b", r"\bdmarc\b", r"\barc\b failed", r"sender policy framework",
        r"unauthenticated (?:e-?mail|mail|sender|message)", r"email from \S+ is not authenti",
        r"not (?:authori[sz]ed|permitted|allowed) to send (?:\S+ ){0,4}(?:from|for|on behalf|as)", r"\bspoof", r"forged", r"impersonat",
        r"domain-?keys", r"\bblack ?-?list", r"\bblock ?-?list", r"\bdeny ?-?list", r"block list", r"\b(?:dns)?(?:rbl|bl)s?\b", r"spamhaus",
        r"spamcop", r"barracuda(?:central)?", r"\bsorbs\b", r"senderbase", r"sender score", r"senderscore", r"abuseat",
        r"cloudmark (?:sender|csi)", r"proofpoint dynamic", r"uceprotect", r"invaluement", r"trendmicro.com/(?:reputation|rep)",
        r"(?:poor|bad|low|negative) (?:\w+ )?(?:reputation|score)", r"reputation", r"(?<!not )listed (?:at|in|on|by)\b",
        r"is in (?:a|our|the) (?:\w+ )?(?:list|bl)\b",
        r"(?:your|this|the|sending|client|remote|source|sender'?s?) (?:mail ?server |server |network |sending |client )?ip(?:v[46])?"
        r"(?: address| addr)?\b[^;]{0,80}(?:block|ban|reject|refus|denied|not allowed|list|deni|unsolicited|restrict|suspicious|polic)",
        r"(?:block|ban|reject|refus|deni)\w*(?: \S+){0,6} (?:your|the|this|sending|client|remote|source) (?:mail ?server|server"
        r"|network|host|ip)\b",
        r"banned (?:sending )?ip", r"ip \S+ (?:is )?(?:blocked|banned|rejected)",
        r"unsolicited (?:mail|e-?mail|messages) (?:\w+ ){0,4}from your (?:ip|network|server)", r"dynamic (?:ip|address|pool|host)", r"dial-?up",
        r"residential", r"open (?:relay|proxy)", r"compromised host",
        r"(?:host|server|system|site|network|connection|connections|mta)(?: \S+){0,3} (?:is |was |are |has been |have been )?"
        r"(?:blocked|banned|not welcome|blackholed|refused for policy|not allowed)", r"host network not allowed",
        r"(?:connection|session|access) (?:refused|denied|rejected|blocked|dropped)(?: \S+){0,3} (?:due to|by|for|because of) (?:\S+"
        r" ){0,3}(?:policy|abuse|reputation|security|spam)",
        r"we (?:do not|don't) accept (?:mail|e-?mail|messages|connections) from (?:your|this|dynamic|hosts?|ip|the ip)",
        r"too much (?:spam|abuse) from", r"has been (?:temporarily )?(?:blocked|deferred) due to", r"access denied, (?:traffic|banned)",
        r"service (?:unavailable|refused)[;,] (?:client host|sender)",
        r"administrative(?:ly)? (?:prohibit|den|block)\w*(?: \S+)* (?:host|ip|server)", r"dns(?:bl|wl|rbl)",
        r"mail from your (?:server|ip|network|host)", r"policy reasons?[.;,]? (?:see|visit|for).{0,60}(?:ip|postmaster|sender)",
        r"bulk mail sender guidelines.{0,40}ip", r"unauthori[sz]ed (?:sender|host|server|ip)",
        r"no(?:t| longer)? accept(?:ed|ing)? (?:\S+ )?from (?:this|your) (?:host|server|ip)",
    )),
    (MailGroup.CONTENT_POLICY, (
        r"\bspam\b", r"spammy", r"spamming", r"junk ?-?mail", r"\bjunk\b", r"unsolicited", r"\bbulk\b", r"looks like (?:spam|bulk|uce)",
        r"\buce\b", r"spam ?assassin", r"bayes",
        r"(?:message|mail|e-?mail|msg|content|your message|body|attachment|header|subject|url|link)s? (?:\S+ ){0,5}(?:rejected|refused"
        r"|denied|blocked|prohibited|not accepted|filtered|discarded|quarantined)(?: \S+){0,5} (?:content|polic|rule|reason|filter"
        r"|administrat|security|url|header|attachment|suspicious|scan)",
        r"content (?:\S+ ){0,3}(?:reject|filter|denied|not allowed|block|restrict|polic|violat|unaccept)",
        r"(?:banned|prohibited|blocked|illegal|forbidden|dangerous|executable) (?:file|attachment|content|extension|name)",
        r"attachments? (?:type|name|not|is not|are not|blocked|removed|rejected|of type)",
        r"(?:local|message|site|mail|security|corporate|company|organi[sz]ation'?s?|transport|administrat\w+) polic(?:y|ies)",
        r"polic(?:y|ies) (?:violation|reason|reject|restriction|prohibit|refus)", r"violat\w+ (?:\S+ ){0,3}polic",
        r"rejected (?:by|for|due to) (?:\S+ ){0,2}polic", r"\brfc ?\d{3,4}\b", r"rfc compliant", r"not compliant",
        r"(?:invalid|malformed|missing|bad|duplicate|multiple|illegal) (?:\S+ )?headers?", r"header (?:error|violation|missing|syntax)",
        r"message[ -]id (?:header )?(?:is )?(?:missing|invalid)", r"bare (?:lf|cr|newline)", r"8-?bit (?:data|char|content)",
        r"mime (?:error|violation|syntax|header)", r"undesirable content", r"unacceptable (?:content|mail)",
        r"conversion (?:required|failed|not supported)", r"charset", r"must (?:issue|use) (?:a )?starttls", r"encryption (?:required|needed)",
        r"rejected due to content", r"looks suspicious", r"suspicious (?:message|mail|content|link|url)", r"message filtered",
        r"security (?:reason|polic|restriction|violation)", r"executable", r"(?:blocked|detected) by (?:\S+ )?(?:anti-?spam|anti-?virus|content)",
        r"(?:classified|identified|detected|considered|recogni[sz]ed|tagged|marked|deemed) (?:\w+ ){0,4}(?:as |to be )?(?:spam"
        r"|unwanted|junk|bulk|malicious)",
    )),
    (MailGroup.RECIPIENT_FILTER, (
        r"(?:sender|return[ -]?path|from address|mail from|envelope from|originator|reverse-path|source address|sending domain)"
        r"(?:'s)?(?: \S+){0,6} (?:rejected|refused|denied|blocked|not (?:allowed|accepted|permitted|exist|valid|found|welcome)|invalid"
        r"|unknown|(?:could|can|does|did|has) ?not|cannot|doesn't|must|is bad|disallowed|prohibited|unresolvable|fail)",
        r"(?:bad|invalid|unknown|unacceptable|illegal|malformed|rejected|refused|blocked|denied|fake) (?:envelope )?(?:sender|return["
        r" -]?path|reverse[ -]path|mail from)",
        r"(?:verify|verif\w+|callout) (?:\S+ )?(?:sender|from)", r"sender verif", r"domain of (?:the )?sender", r"sender(?:'s)? domain",
        r"from (?:this|your) (?:sender|address|domain|e-?mail)(?: \S+){0,3} (?:reject|refus|not|block|den)",
        r"no(?:t)? accept\w* (?:mail|e-?mail|messages)? ?from (?:this|that|your) (?:sender|address|domain|user)",
        r"(?:mail|message|messages|e-?mail) from (?:\S+ ){1,4}(?:is |are |was |has been )?(?:rejected|refused|not (?:accepted|allowed"
        r"|permitted|welcome)|denied|blocked)",
        r"unrouteable (?:mail domain|sender)", r"null (?:sender|reverse)",
        r"restricted to (?:authenticated|verified|certain|internal|members|specific)",
        r"(?:only|just) (?:accepts?|receives?|allows?) (?:\S+ ){0,5}(?:from|senders|internal|members)",
        r"not (?:on|in) (?:the |his |my |your )?(?:allow|accept|safe|white|approved)",
        r"(?:user|recipient|customer|addressee|subscriber|he|she|they|account)(?:'s)?(?: \S+){0,4} (?:has |have )?(?:rejects?|rejected"
        r"|refus\w+|block\w*|filter\w*|not accept\w*|does(?: not|n't) (?:accept|want|wish|receive)|restrict\w*)(?: \S+){0,4} (?:mail"
        r"|e-?mail|message|sender|you|from|delivery|external|this)",
        r"(?:rejected|refused|blocked|filtered|denied) by (?:the )?(?:recipient|user|customer|addressee|receiver|rule|account holder"
        r"|mailbox owner)",
        r"due to extended inbound",
        r"not (?:permitted|allowed|authori[sz]ed) to (?:send|post|mail|deliver|email) (?:\S+ )?(?:to )?(?:this|the|that|recipient"
        r"|group|list|mailbox)",
        r"mail filter", r"user filter", r"inbound (?:message )?(?:filter|rule)",
        r"recipient (?:has )?(?:not|never|refus)(?: \S+){0,3} (?:permission|accept|allow)", r"permission to (?:send|post|email)",
        r"challenge[ /-]response", r"protected by", r"confirm(?:ation)? (?:required|needed) (?:before|by)",
        r"sender (?:denied|rejected|refused|blocked)", r"delivery not authori[sz]ed", r"restricted (?:mailbox|recipient|address)",
        r"not subscribed", r"moderat", r"受信(?:者|側)?の?(?:設定|拒否)|受信を?拒否|受信制限|指定受信|なりすまし",
    )),
    (MailGroup.DORMANT, (
        r"(?:mail ?box|inbox|mail ?folder|mail ?drop|maildir|account|user|recipient)(?:'s)?(?: \S+){0,4}? (?:is |are |has |was "
        r"|exceeded |would )*(?:currently )?(?:\w+ )?(?:full|over(?:-| )?(?:its |the |disk )?quota|exceed\w* (?:its |the |their )?"
        r"(?:\w+ )?(?:quota|storage|size|limit))",
        r"over ?-?quota", r"quota (?:exceed|reached|full|violation)", r"exceed\w* (?:\S+ ){0,4}(?:quota|storage|mailbox size)",
        r"(?:disk|mail|storage|mailbox|user|account|soft|hard)[ -]?quota", r"out of (?:\w+ )?(?:storage|quota|space for)",
        r"insufficient (?:\w+ )?(?:storage|space|quota)", r"not (?:have )?enough (?:\w+ )?(?:space|storage|room|quota)",
        r"no (?:space|room) left (?:in|for)",
        r"(?:storage|allocation|mailbox|folder|box|size) (?:\w+ )?(?:exceeded|limit exceeded|limit reached|full)", r"mail ?box (?:\w+ )?full",
        r"mailbox is over", r"mailfolder is full", r"too much mail (?:data|stored)", r"not been (?:collected|picked up)", r"full mailbox",
        r"(?:user|recipient|mailbox|account)(?:'s)? (?:\S+ ){0,3}over (?:the )?(?:maximum|allowed|storage|limit)",
        r"(?:account|mailbox|user|address|recipient|e-?mail|alias|domain|box|login)(?:'s)?(?: \S+){0,6} (?:is |has been |was |are "
        r"|been )?(?:\w+ )?(?:suspended|disabled|inactive|deactivated|locked|frozen|dormant|on hold|not"
        r" active|barred|paused)",
        r"(?:suspended|disabled|inactive|deactivated|dormant|expired|locked|frozen|barred) (?:mailbox|account|user|recipient|address"
        r"|e-?mail)",
        r"(?:has|have) been (?:suspended|disabled|deactivated)", r"user suspended", r"temporarily (?:suspended|disabled|inactive|locked)",
        r"(?:not|in)active (?:user|account|mailbox)", r"has not (?:\w+ )?(?:logged|activated|been activated)",
        r"容量|受信箱.{0,6}(?:一杯|いっぱい)|休止|停止中",
    )),
    (MailGroup.DEAD, (
        r"(?:user|recipient|mailbox|mail ?box|account|address|addressee|e-?mail(?: account| address)?|alias|person|name|customer"
        r"|destination|id|box|member|subscriber|employee|local ?part|login|inbox)(?:'s)?(?: \S+){0,6}? (?:is |was |are |has |does |do "
        r"|did |could |can |been |be |appears? (?:to be )?|seems? (?:to be )?|not a )*(?:unknown|invalid|undefined|unavailable here"
        r"|non-?exist\w*|not (?:\w+ )?(?:found|exist\w*|known|valid|listed|recogni[sz]ed|local|here|registered|available here"
        r"|available at|located|a valid|in (?:\S+ )?(?:directory|database|table|system))|n't (?:\w+ )?(?:exist|found|have|known|listed"
        r"|valid)|no longer (?:\S+ )?(?:exist|valid|available|active|in use|with|work|here|accept|used)|cannot be (?:found|reached"
        r"|located|verified)|deleted|removed|terminated|closed|cancell?ed|doesnt exist|unrouteable|has moved|moved)",
        r"(?:no|not an?|unknown|invalid|non-?exist\w*|bad|illegal|undefined|no such|unrecogni[sz]ed|inexistent|undeliverable|incorrect"
        r"|obsolete|unroutable|unrouteable|unresolvable|cannot find|deleted|closed) (?:\w+ )?(?:local |virtual |valid |e-?mail "
        r"|destination |mail |final |delivery |system )*(?:user(?:id)?|recipient|mailbox|mail ?box|account|address|addressee|person|alias|rcpt"
        r"|member|local ?part|mail ?user|customer|subscriber|box|name|destination|id)\b",
        r"no (?:such|valid|one) (?:\S+ ){0,2}(?:user|recipient|mailbox|person|address|account|here|by that)",
        r"no mailbox (?:here|by|for|found|\S+ )", r"does(?: not|n't) have an? (?:\S+ )?(?:account|mailbox|user|e-?mail)",
        r"not our (?:customer|user)", r"unknown (?:or illegal |or invalid )?(?:alias|rcpt|local|recipient|user)",
        r"(?:could not|couldn't|cannot|can't|unable to|was not|wasn't) (?:be )?(?:find|found|locate|verify|resolve|deliver\w* to)(?:"
        r" \S+){0,4} (?:user|recipient|mailbox|address|account|person|directory)",
        r"recipient(?:'s)? (?:address )?rejected: (?:user|unknown|access denied|undeliverable|unverified|invalid|no such|not found|\S+"
        r" does not)",
        r"this (?:user|address|account|e-?mail|mailbox|person)(?: \S+){0,3} (?:doesn't|does not|is not|isn't|no longer)",
        r"user (?:\S+ )?(?:unknown|not found)", r"unknown user", r"no user\b",
        r"not a (?:valid|known|local|registered) (?:\S+ )?(?:user|mailbox|recipient|address|account)",
        r"(?:host|domain|site|server)(?: name)?(?: \S+){0,6}? (?:not found|unknown|(?:does(?: not|n't)|did not|do not|don't) (?:exist"
        r"|resolve|have)|non-?exist\w*|unresolvable|invalid|not (?:valid|known|registered|exist)|couldn't be (?:found|resolved)|could"
        r" not be (?:found|resolved)|isn't|expired|doesnt exist)",
        r"(?:unknown|bad|invalid|illegal|non-?exist\w*|no such|unrouteable|unroutable|unresolvable|undefined|cannot (?:find|resolve)"
        r"|can't (?:find|resolve)|couldn't find|unable to (?:find|resolve)) (?:\w+ )?(?:host|domain|mx|destination|server|any host|a"
        r" host|mail domain|hostname|route)",
        r"name or service not known", r"name service error (?:\S+ )?for \S+: host", r"\bnxdomain\b",
        r"no (?:mx|a|address|dns) (?:or a |record|entr)", r"non-existent hosts", r"bad destination (?:system|mailbox)",
        r"unrout(?:e)?able (?:address|mail)", r"illegal host", r"host not found", r"(?:has|have) moved", r"address (?:has )?changed",
        r"new (?:e-?mail )?address", r"moved to", r"no longer (?:with|at|works?|employed|on|a )", r"left the company",
        r"user (?:is )?(?:deleted|gone)", r"account (?:has been )?(?:deleted|closed|terminated|cancell?ed)", r"mailbox (?:\S+ )?unavailable",
        r"not listed in", r"undeliverable address", r"(?:addresses|address) (?:had|have|has) permanent",
        r"resolver\.adr\.recip(?:ient)?not ?found", r"recipnotfound",
        r"宛先.{0,12}(?:存在しません|見つかりません|不明)|ユーザー?が?.{0,6}(?:存在しません|見つかりません)|存在しない|使われておりません",
    )),
    (MailGroup.TRANSIENT, (
        r"(?:delivery|message|queue|retry|retries|time|mail)(?: \S+){0,4} (?:expired|timed? ?-?out|time limit|timeout|exceeded|exhausted)",
        r"(?:expired|too long) in (?:the )?queue", r"retry time(?:out)? (?:not reached|exceeded)", r"giving up",
        r"could not (?:be )?(?:deliver\w*|sent?) (?:\S+ ){0,4}(?:for|in|within|after) (?:the (?:last|past) )?\d+",
        r"connect(?:ion|ing)?(?: \S+){0,6} (?:timed out|refused|reset|lost|closed|dropped|failed|terminated|aborted|rejected|failure)",
        r"lost connection", r"no route to host", r"network (?:is )?(?:unreachable|error|failure)", r"host (?:is )?(?:unreachable|down)",
        r"timed? ?out", r"broken pipe", r"loops? back to (?:my|it)self", r"mail (?:forwarding )?loop", r"too many hops", r"hop count",
        r"routing loop", r"delivered-to", r"already (?:been )?(?:here|seen)", r"(?:conversation|conversing|talk) with",
        r"dns (?:lookup|error|failure|server|timeout)", r"temporar(?:y|ily)", r"try (?:again|later)", r"grey ?-?list", r"gray ?-?list",
        r"service (?:is )?(?:currently |temporarily )?(?:not available|unavailable|shutting|closed|denied)",
        r"(?:system|server|internal|local|configuration|resource|software|database|processing|i/o|input/output|protocol|lookup|ldap"
        r"|unexpected|transaction|fatal|unspecified) (?:\w+ )?(?:error|failure|problem|fault|resources|incorrectly|crash)",
        r"no space left", r"disk full", r"(?:system|server|spool|filesystem|file system) (?:is )?(?:full|down)", r"out of (?:disk|memory)",
        r"can(?:no|')t (?:create|open|write|connect|fork|append|execute)",
        r"command (?:died|failed|not|unrecogni[sz]ed|rejected|line usage|time limit|sequence)", r"exit(?:ed)? (?:status|code|with)",
        r"mailer (?:error|died)", r"x-unix", r"pipe to", r"syntax error", r"bad (?:sequence|command|syntax)", r"unrecogni[sz]ed command",
        r"not implemented", r"starttls", r"\btls\b", r"does not accept (?:mail|e-?mail|any)", r"null ?mx",
        r"(?:not|no longer|never) accept(?:ing|s|ed)? (?:any )?(?:mail|messages|e-?mail|connections)", r"no mail (?:is )?accepted",
        r"smtp (?:protocol|service|server)", r"queued? (?:too|for)", r"deferred", r"permission denied", r"transport",
        r"alias(?:es)? (?:loop|expan)", r"protocol (?:violation|error)", r"unable to (?:connect|open|contact|reach|lock|deliver)",
        r"not responding", r"no response", r"still being retried", r"not reachable", r"failed \d+ attempts", r"delivery attempts",
        r"insufficient system",
    )),
)

_GROUP_WORDS = [(group, "|".join(f"(?:{one})" for one in patterns)) for group, patterns in _WORDS]

_STATUS_GROUPS = {
    "1.0": MailGroup.UNKNOWN, "1.1": MailGroup.DEAD, "1.2": MailGroup.DEAD, "1.3": MailGroup.DEAD, "1.4": MailGroup.DEAD, "1.6": MailGroup.DEAD,
    "1.7": MailGroup.RECIPIENT_FILTER, "1.8": MailGroup.RECIPIENT_FILTER, "1.9": MailGroup.TRANSIENT, "1.10": MailGroup.TRANSIENT,
    "2.0": MailGroup.RECIPIENT_FILTER, "2.1": MailGroup.DORMANT, "2.2": MailGroup.DORMANT, "2.3": MailGroup.CONTENT_POLICY, "2.4": MailGroup.DEAD,
    "3.0": MailGroup.TRANSIENT, "3.1": MailGroup.TRANSIENT, "3.2": MailGroup.TRANSIENT, "3.3": MailGroup.TRANSIENT, "3.4": MailGroup.CONTENT_POLICY,
    "3.5": MailGroup.TRANSIENT, "4.4": MailGroup.DEAD, "5.3": MailGroup.RATE, "7.0": MailGroup.CONTENT_POLICY, "7.1": MailGroup.CONTENT_POLICY,
    "7.2": MailGroup.RECIPIENT_FILTER, "7.8": MailGroup.OUR_IDENTITY, "7.9": MailGroup.OUR_IDENTITY, "7.13": MailGroup.DORMANT,
    "7.27": MailGroup.RECIPIENT_FILTER, "7.28": MailGroup.RATE, "7.29": MailGroup.OUR_IDENTITY,
}
"""Enhanced status without its class, where the registry gives it one meaning."""

_DIGITS = {
    421: MailGroup.RATE, 422: MailGroup.DORMANT, 452: MailGroup.DORMANT, 551: MailGroup.DEAD, 552: MailGroup.DORMANT, 553: MailGroup.RECIPIENT_FILTER,
    554: MailGroup.CONTENT_POLICY, 521: MailGroup.TRANSIENT, 556: MailGroup.TRANSIENT, 530: MailGroup.OUR_IDENTITY, 535: MailGroup.OUR_IDENTITY,
}
"""Three digits, where nothing else is known."""

LONGEST = 1200
"""Signs of an answer that are looked at: two of the longest lines that a server may answer (RFC 5321 section 4.5.3.1.5)."""


def group_of(said: Said) -> MailGroup:
    """What an answer says of the address."""
    text = " ".join(said.text[:LONGEST].lower().replace("’", "'").split())
    found = next((group for group, words in _GROUP_WORDS if _pattern(words).search(text)), None)
    if found is MailGroup.TRANSIENT and _by_status(said.status) is MailGroup.DEAD and said.status.startswith("5"):
        # `Unable to deliver`, `transport failed`: the status is more exact than such words.
        return MailGroup.DEAD
    if found is MailGroup.DEAD and said.code in range(450, 453) and "unavailable" in text:
        # The words of RFC 5321 for `busy`; with 550 they are its words for `not found`.
        return MailGroup.TRANSIENT
    if found is MailGroup.DEAD and said.stage in {Stage.DATA, Stage.END}:
        # Somebody was there when the address was named, and is not any more once the message was seen: the carriers of Japan
        # say so of what the recipient's own filter has refused.
        return MailGroup.RECIPIENT_FILTER
    if found is not None:
        return found
    return _by_status(said.status) or _by_digits(said)


def _by_status(status: str) -> MailGroup | None:
    kind, _, rest = status.partition(".")
    if not rest or rest == "0.0":
        return None
    if kind == "2":
        return MailGroup.NOT_FAILURE
    subject, _, detail = rest.partition(".")
    found = _STATUS_GROUPS.get(rest)
    if found is not None:
        return None if found is MailGroup.UNKNOWN else found
    if subject in {"4", "5"}:
        return MailGroup.TRANSIENT
    if subject == "6":
        return MailGroup.CONTENT_POLICY
    if subject == "7":
        # The registry's newer ones are about signatures, names and lists of servers; providers go on counting in the hundreds.
        return MailGroup.OUR_IDENTITY if int(detail) >= 20 else MailGroup.CONTENT_POLICY
    return None


def _by_digits(said: Said) -> MailGroup:
    if said.code is None:
        return MailGroup.UNKNOWN
    if said.code // 100 == 2:
        return MailGroup.NOT_FAILURE
    if said.code == 550 and said.stage is Stage.RCPT:
        return MailGroup.DEAD
    if said.code // 100 == 5 and said.stage in {Stage.DATA, Stage.END}:
        return MailGroup.CONTENT_POLICY if said.code == 554 else MailGroup.RECIPIENT_FILTER
    if said.code in _DIGITS:
        return _DIGITS[said.code]
    return MailGroup.TRANSIENT if said.code // 100 == 4 or said.code in range(500, 505) else MailGroup.UNKNOWN
