"""What mail servers send back, written from the formats: one text for each shape, and what it is.

Every sample is of our own making: addresses, hosts and ids are made up, the shape and the usual words of a server are its own.
"""

from typing import NamedTuple

DEAD, DORMANT, FILTER, CONTENT, OURS = "DEAD", "DORMANT", "RECIPIENT_FILTER", "CONTENT_POLICY", "OUR_IDENTITY"
RATE, TRANSIENT, COMPLAINT, FINE, SUPPRESSED = "RATE", "TRANSIENT", "COMPLAINT", "NOT_FAILURE", "SUPPRESSED"


class Sample(NamedTuple):
    name: str
    kind: str
    recipients: list
    """(address, group, stage)."""
    text: str


def dsn(to, action, status, reply, words="", by="mx.example.net", original=None):
    """A delivery report (RFC 3464)."""
    reply = f"Diagnostic-Code: {reply}\n" if reply else ""
    original = f"Original-Recipient: rfc822; {original}\n" if original else ""
    return (
        f"Return-Path: <>\nFrom: MAILER-DAEMON@{by} (Mail Delivery System)\nTo: codes@bounce.bank.example\nSubject: Delivery report\nAuto-Submitted: auto-replied\n"
        f'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status;\n\tboundary="=_1"\n\n--=_1\nContent-Type: text/plain; charset=us-ascii\n\n'
        f"{words}\n\n--=_1\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; {by}\n\nFinal-Recipient: rfc822; {to}\n{original}Action: {action}\n"
        f"Status: {status}\n{reply}\n--=_1\nContent-Type: text/rfc822-headers\n\nTo: {to}\nSubject: About your procedure\n\n--=_1--\n"
    )


def postfix(to, status, reply, command, host="mx.example.com[192.0.2.1]"):
    """Postfix tells the stage in its words alone, and folds them."""
    words = f"This is the mail system at host relay.bank.example.\n\n<{to}>: host {host} said: {reply} (in reply to\n    {command} command)"
    return dsn(to, "failed", status, f"smtp; {reply}", words, "relay.bank.example")


def plain(sender, subject, words, **headers):
    """A bounce that only people were meant to read."""
    more = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    return f"Return-Path: <>\nFrom: {sender}\nTo: codes@bounce.bank.example\nSubject: {subject}\n{more}\n{words}\n"


def feedback(kind, headers, returned, extra=""):
    return (
        f'From: loop@provider.example\nTo: complaints@bounce.bank.example\nSubject: FW: About\nMIME-Version: 1.0\n{extra}Content-Type: multipart/report; '
        f'report-type=feedback-report; boundary="b"\n\n--b\nContent-Type: text/plain\n\nThis is a complaint.\n\n--b\nContent-Type: message/feedback-report\n\n'
        f"Feedback-Type: {kind}\nUser-Agent: Loop/2.0\nVersion: 1\n{headers}\n--b\nContent-Type: message/rfc822\n\n{returned}\n\nbody\n--b--\n"
    )


ONE = "hana@example.com"
QMAIL = "Hi. This is the qmail-send program at mx.example.com.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n"
EXIM = "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n"
SENDMAIL = "The original message was received at Sun, 22 Nov 2026 10:00:00 +0900\nfrom localhost [127.0.0.1]\n\n   ----- The following addresses had permanent fatal errors -----\n"

SAMPLES = (
    # -- Postfix, by stage
    Sample("postfix-unknown", "bounce", [(ONE, DEAD, "rcpt")], postfix(ONE, "5.1.1", "550 5.1.1 <hana@example.com>: Recipient address rejected: User unknown in virtual mailbox table", "RCPT TO")),
    Sample("postfix-full", "bounce", [(ONE, DORMANT, "rcpt")], postfix(ONE, "5.2.2", "552 5.2.2 <hana@example.com>: user is over quota", "RCPT TO")),
    Sample("postfix-spam", "bounce", [(ONE, CONTENT, "end-of-data")], postfix(ONE, "5.7.1", "554 5.7.1 Message rejected because of unacceptable content", "end of DATA")),
    Sample("postfix-blocked", "bounce", [(ONE, OURS, "rcpt")], postfix(ONE, "5.7.1", "554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using bl.example.org", "RCPT TO")),
    Sample("postfix-no-host", "bounce", [(ONE, DEAD, "")], dsn(ONE, "failed", "5.4.4", "X-Postfix; Host or domain name not found. Name service error for name=example.com type=A: Host not found")),
    Sample("postfix-timeout", "bounce", [(ONE, TRANSIENT, "")], dsn(ONE, "failed", "4.4.1", "X-Postfix; connect to mx.example.com[192.0.2.1]:25: Connection timed out")),
    Sample("postfix-delayed", "delay", [(ONE, TRANSIENT, "rcpt")], dsn(ONE, "delayed", "4.7.1", "smtp; 451 4.7.1 <hana@example.com>: Recipient address rejected: Greylisted, come back later", "<hana@example.com>: host mx said: 451 4.7.1 Greylisted (in reply to RCPT TO command)")),
    Sample("postfix-relayed", "delivered", [(ONE, FINE, "")], dsn(ONE, "relayed", "2.0.0", "smtp; 250 2.0.0 OK")),
    Sample("postfix-delivered", "delivered", [(ONE, FINE, "")], dsn(ONE, "delivered", "2.0.0", "X-Postfix; delivered to maildir")),
    Sample("postfix-expanded", "delivered", [(ONE, FINE, "")], dsn(ONE, "expanded", "2.0.0", "X-Postfix; alias expanded")),
    # -- the carriers of Japan: the same words before and after the message
    Sample("docomo-dead", "bounce", [("a..b@docomo.example.ne.jp", DEAD, "rcpt")], postfix("a..b@docomo.example.ne.jp", "5.0.0", "550 Unknown user a..b@docomo.example.ne.jp", "RCPT TO", "mfsmax.docomo.example.ne.jp[192.0.2.7]")),
    Sample("docomo-filter", "bounce", [("a.@docomo.example.ne.jp", FILTER, "end-of-data")], postfix("a.@docomo.example.ne.jp", "5.0.0", "550 Unknown user a.@docomo.example.ne.jp", "end of DATA", "mfsmax.docomo.example.ne.jp[192.0.2.7]")),
    Sample("au-filter", "bounce", [("k@ezweb.example.ne.jp", FILTER, "end-of-data")], postfix("k@ezweb.example.ne.jp", "5.0.0", "550 <k@ezweb.example.ne.jp>: User unknown", "end of DATA", "lsean.ezweb.example.ne.jp[192.0.2.8]")),
    Sample("au-dead", "bounce", [("k@ezweb.example.ne.jp", DEAD, "rcpt")], plain("Postmaster@ezweb.example.ne.jp", "Mail System Error - Returned Mail", "The user(s) account is disabled or does not exist.\n\nEach of the following recipients was rejected by a remote mail server.\n\n    <k@ezweb.example.ne.jp>\n\n>>> RCPT TO:<k@ezweb.example.ne.jp>\n<<< 550 <k@ezweb.example.ne.jp>: User unknown\n")),
    Sample("softbank-suspended", "bounce", [("s@softbank.example.ne.jp", DORMANT, "rcpt")], postfix("s@softbank.example.ne.jp", "5.2.1", "551 5.2.1 User Suspended <s@softbank.example.ne.jp>", "RCPT TO")),
    Sample("softbank-invalid", "bounce", [("s@softbank.example.ne.jp", DEAD, "rcpt")], postfix("s@softbank.example.ne.jp", "5.0.0", "550 Invalid recipient: <s@softbank.example.ne.jp>", "RCPT TO")),
    Sample("japanese-words", "bounce", [("t@mail.example.jp", DEAD, "")], plain("=?iso-2022-jp?B?GyRCJWEhPCVrR1s/LiU3JTklRiVgGyhC?= <mailer-daemon@mail.example.jp>", "=?utf-8?B?6YWN5L+h5LiN6IO9?=", "<t@mail.example.jp>\n宛先のメールアドレスが見つかりません。", MIME_Version="1.0", Content_Type="text/plain; charset=utf-8")),
    # -- big providers
    Sample("gmail-dead", "bounce", [("h@gmail.example", DEAD, "")], dsn("h@gmail.example", "failed", "5.1.1", "smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try\n 550-5.1.1 double-checking the recipient's email address for typos or\n 550 5.1.1 unnecessary spaces.")),
    Sample("gmail-full", "bounce", [("h@gmail.example", DORMANT, "")], dsn("h@gmail.example", "failed", "5.2.2", "smtp; 552-5.2.2 The email account that you tried to reach is over quota and inactive.")),
    Sample("gmail-unauthenticated", "bounce", [("h@gmail.example", OURS, "")], dsn("h@gmail.example", "failed", "5.7.26", "smtp; 550-5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM.")),
    Sample("gmail-rate", "delay", [("h@gmail.example", RATE, "")], dsn("h@gmail.example", "delayed", "4.7.28", "smtp; 421-4.7.28 Gmail has detected an unusual rate of mail originating from your SPF domain")),
    Sample("gmail-spam", "bounce", [("h@gmail.example", CONTENT, "")], dsn("h@gmail.example", "failed", "5.7.1", "smtp; 550-5.7.1 Our system has detected that this message is likely unsolicited mail.")),
    Sample("outlook-dead", "bounce", [("h@outlook.example", DEAD, "")], dsn("h@outlook.example", "failed", "5.5.0", "smtp;550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).")),
    Sample("outlook-blocked", "bounce", [("h@outlook.example", OURS, "mail")], postfix("h@outlook.example", "5.7.1", "550 5.7.1 Unfortunately, messages from [192.0.2.9] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150).", "MAIL FROM")),
    Sample("exchange-dead", "bounce", [("h@corp.example", DEAD, "")], dsn("h@corp.example", "failed", "5.1.10", "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup")),
    Sample("exchange-restricted", "bounce", [("g@corp.example", FILTER, "")], dsn("g@corp.example", "failed", "5.7.133", "smtp;550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed because the sender was not authenticated when sending to this group")),
    Sample("exchange-edge", "bounce", [("h@corp.example", DEAD, "")], dsn("h@corp.example", "failed", "5.4.1", "smtp;550 5.4.1 Recipient address rejected: Access denied.")),
    Sample("yahoo-dead", "bounce", [("h@yahoo.example", DEAD, "")], plain("MAILER-DAEMON@yahoo.example", "failure notice", "Sorry, we were unable to deliver your message to the following address.\n\n<h@yahoo.example>:\n554: delivery error: dd This user doesn't have a yahoo.example account (h@yahoo.example) [0] - mta1.example\n\n--- Below this line is a copy of the message.\n\nTo: h@yahoo.example\n")),
    Sample("yahoo-deferred", "delay", [("h@yahoo.example", OURS, "")], dsn("h@yahoo.example", "delayed", "4.7.0", "smtp; 421 4.7.0 [TSS04] Messages from 192.0.2.9 temporarily deferred due to poor reputation of your IP")),
    Sample("icloud-content", "bounce", [("h@icloud.example", CONTENT, "end-of-data")], postfix("h@icloud.example", "5.7.1", "550 5.7.1 [CS01] Message rejected due to local policy", "end of DATA")),
    Sample("ses-suppressed", "bounce", [("h@example.org", SUPPRESSED, "")], dsn("h@example.org", "failed", "5.1.1", "smtp; 550 5.1.1 Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid address.", by="a8-50.smtp-out.example")),
    # -- other servers, other manners
    Sample("exim-report", "bounce", [(ONE, DEAD, "rcpt")], dsn(ONE, "failed", "5.0.0", "smtp; 550 5.1.1 User unknown", f"{EXIM}  {ONE}\n    host mx.example.com [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<{ONE}>:\n    550 5.1.1 User unknown", by="exim.example")),
    Sample("exim-words", "bounce", [(ONE, TRANSIENT, "")], plain("Mail Delivery System <Mailer-Daemon@exim.example>", "Mail delivery failed: returning message to sender", f"{EXIM}  {ONE}\n    retry timeout exceeded\n\n------ This is a copy of the message, including all the headers. ------\n\nTo: {ONE}\n", X_Failed_Recipients=ONE)),
    Sample("exim-warning", "delay", [(ONE, TRANSIENT, "")], plain("Mail Delivery System <Mailer-Daemon@exim.example>", "Warning: message delayed 24 hours", f"A message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue.\n\nThe address to which the message has not yet been delivered is:\n\n  {ONE}\n    Delay reason: connection refused\n\nNo action is required on your part. Delivery attempts will continue for\nsome time.\n")),
    Sample("sendmail-docomo", "bounce", [("x@docomo.example.ne.jp", FILTER, "data")], dsn("x@docomo.example.ne.jp", "failed", "5.2.0", "SMTP; 550 Unknown user x@docomo.example.ne.jp", f"{SENDMAIL}<x@docomo.example.ne.jp>\n    (reason: 550 Unknown user x@docomo.example.ne.jp)\n\n   ----- Transcript of session follows -----\n... while talking to mx.docomo.example.ne.jp.:\n>>> DATA\n<<< 550 Unknown user x@docomo.example.ne.jp\n554 5.0.0 Service unavailable")),
    Sample("sendmail-words", "bounce", [(ONE, DEAD, "rcpt")], plain("Mail Delivery Subsystem <MAILER-DAEMON@old.example>", "Returned mail: User unknown", f"{SENDMAIL}<{ONE}>\n\n   ----- Transcript of session follows -----\n... while talking to mx.example.com.:\n>>> RCPT To:<{ONE}>\n<<< 550 <{ONE}>... User unknown\n550 <{ONE}>... User unknown\n")),
    Sample("qmail-dead", "bounce", [(ONE, DEAD, "rcpt")], plain("MAILER-DAEMON@mx.example.com", "failure notice", f"{QMAIL}<{ONE}>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 no mailbox here by that name\nGiving up on 192.0.2.1.\n\n--- Below this line is a copy of the message.\n\nTo: {ONE}\n")),
    Sample("qmail-data", "bounce", [(ONE, CONTENT, "end-of-data")], plain("MAILER-DAEMON@mx.example.com", "failure notice", f"{QMAIL}<{ONE}>:\n192.0.2.1 failed after I sent the message.\nRemote host said: 554 rejected as spam\n\n--- Below this line is a copy of the message.\n")),
    Sample("qmail-two", "bounce", [("a@one.example", DORMANT, ""), ("b@two.example", DEAD, "")], plain("MAILER-DAEMON@mx.example.com", "failure notice", f"{QMAIL}<a@one.example>:\nUser's disk quota exceeded. (#5.2.2)\n\n<b@two.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n")),
    Sample("domino", "bounce", [(ONE, DEAD, "")], plain("Postmaster@corp.example", "DELIVERY FAILURE: User hana not listed in Domino Directory", f"Your message\n\n  Subject: About\n\nwas not delivered to:\n\n  {ONE}\n\nbecause:\n\n  User hana ({ONE}) not listed in Domino Directory\n")),
    Sample("x400", "bounce", [(ONE, TRANSIENT, "")], dsn(ONE, "failed", "4.4.7", "X400; Reason 1 (Unable-To-Transfer); Diagnostic 5 (Maximum-Time-Expired)")),
    Sample("null-mx", "bounce", [(ONE, TRANSIENT, "")], dsn(ONE, "failed", "5.1.10", "X-Mailer; Domain does not accept mail (nullMX)")),
    Sample("eai", "bounce", [("関守@example.jp", DEAD, "")], dsn("\\x{95A2}\\x{5B88}@example.jp", "failed", "5.1.1", "smtp; 550 5.1.1 no such user").replace("rfc822; \\x", "utf-8; \\x").replace("message/delivery-status", "message/global-delivery-status")),
    Sample("status-alone", "bounce", [(ONE, DORMANT, "")], dsn(ONE, "failed", "5.2.2", "")),
    Sample("no-action", "bounce", [(ONE, DEAD, "")], dsn(ONE, "failed", "5.1.1", "smtp; 550 no such user").replace("Action: failed\n", "")),
    Sample("base64-status", "bounce", [(ONE, DEAD, "")], "From: MAILER-DAEMON@x.example\nSubject: Undelivered\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n" + __import__("base64").encodebytes(f"Reporting-MTA: dns; x.example\n\nFinal-Recipient: rfc822; {ONE}\nAction: failed\nStatus: 5.1.1\n".encode()).decode() + "\n--b--\n"),
    # -- complaints
    Sample("complaint", "complaint", [("h@provider.example", COMPLAINT, "")], feedback("abuse", "Original-Rcpt-To: <h@provider.example>\n", "To: x@provider.example\nSubject: About")),
    Sample("complaint-from-header", "complaint", [("h@provider.example", COMPLAINT, "")], feedback("abuse", "", "To: Hana <h@provider.example>\nSubject: About")),
    Sample("complaint-fraud", "complaint", [("h@provider.example", COMPLAINT, "")], feedback("fraud", "Removal-Recipient: h@provider.example\n", "Subject: About")),
    Sample("not-spam", "other", [], feedback("not-spam", "Original-Rcpt-To: <h@provider.example>\n", "To: h@provider.example")),
    Sample("complaint-hotmail", "complaint", [("h@hotmail.example", COMPLAINT, "")], "From: staff@hotmail.example\nSubject: complaint about message from 192.0.2.9\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: h@hotmail.example\nTo: undisclosed\nSubject: About\n\nx\n--b--\n"),
    # -- answers of machines, and what is none of it
    Sample("vacation", "auto-reply", [(ONE, FINE, "")], f"From: Hana <{ONE}>\nTo: codes@bank.example\nSubject: Out of office\nAuto-Submitted: auto-replied\n\nI am away. For user unknown matters ask my colleague.\n"),
    Sample("vacation-ja", "auto-reply", [(ONE, FINE, "")], f"From: {ONE}\nTo: codes@bank.example\nSubject: =?utf-8?B?5LiN5Zyo44Gu44GK55+l44KJ44Gb?=\nX-Autoreply: yes\n\n休暇中です。\n"),
    Sample("a-mail", "other", [], f"From: {ONE}\nTo: codes@bank.example\nSubject: Where is my code?\n\nIt did not arrive. My address is {ONE}.\n"),
    Sample("newsletter", "other", [], "From: shop@example.org\nTo: a@b.example\nSubject: Sale\nList-Unsubscribe: <mailto:u@example.org>\n\n50% off\n"),
    Sample("read-receipt", "other", [], "From: h@example.com\nSubject: Read: About\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;h@example.com\nDisposition: manual-action/MDN-sent-manually; displayed\n\n--b--\n"),
)
