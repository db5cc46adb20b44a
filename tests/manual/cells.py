"""What the bank's article says, cell by cell: the reading of its table that the built manual is held to. No product code made it.

Each line: row, page, item, figures, penalty, ways back; Japanese before the slash, English after it. A cell in several parts has them
with `;` between. `-` stands where the article has nothing.
"""

from typing import NamedTuple

TABLE = """
Y-LOGIN-1     login               お客さま番号/Customer number                       15            ログアウト/logged out                     最初からやり直す/Start over
Y-LOGIN-2     login               ログインパスワード/Login password;初回/as issued   10            ログイン不可/Login: blocked               オンラインで申し込み直す/Apply again online;ログインパスワードの照会/inquiry of login password
Y-LOGIN-3     login               ログインパスワード/Login password                  10            ログイン不可/Login: blocked               ログインパスワードを再登録/Register the login password again;オンラインで申し込み直す/Apply again online;ログインパスワードの照会/inquiry of login password
Y-LOGIN-4     login               指紋認証/Fingerprint;認証アプリ/authenticator app  -             端末がロック/device locks                 Android/Android;端末のパスコード/passcode
Y-LOGIN-5     login               顔認証/Face recognition                            -             端末がロック/device locks                 端末のパスコード/passcode
Y-LOGIN-6     login               顔認証/Face kept;認証アプリ/authenticator app      5             顔認証/Face;削除/erased                   顔を登録し直す/Register the face again
Y-NUMBER-1    number-inquiry      記号番号/Account symbol and number                 15            ログアウト/logged out                     最初からやり直す/Start over
Y-NUMBER-2    number-inquiry      ログインパスワード/Login password                  3;10;60分/60 min   ログアウト/logged out;お客さま番号照会のロック/Customer-number inquiry: locked   最初からやり直す/Start over;しばらく時間をおいて/Wait a while
Y-NUMBER-3    number-inquiry      ワンタイムパスワード(メール)/One-time password (mail)   15      コードは無効/code is void;ログアウト/logged out   最初からやり直す/Start over
Y-RESET-1     reset-password      記号番号/Account number                            3;10          ログアウト/logged out;再登録のロック/re-registration: locked   最初からやり直す/Start over;しばらく時間をおいて/Wait a while
Y-RESET-2     reset-password      お客さま番号/customer number                       3;10;60分/60 min   ログアウト/logged out;再登録のロック/re-registration: locked   最初からやり直す/Start over;しばらく時間をおいて/Wait a while
Y-RESET-3     reset-password      ワンタイムパスワード(メール)/One-time password (mail)   15      コードは無効/code is void;ログアウト/logged out   最初からやり直す/Start over
Y-UNSUSPEND-1  lift-suspension     ワンタイムパスワード(メール)/One-time password (mail)   15      コードは無効/code is void;ログアウト/logged out   もう一度ログイン/Log in again;メールアドレスの選択/choice of the mail address
Y-TRANSFER-1  transfer            ワンタイムパスワード(メール)/One-time password (mail);2023-07-04/2023-07-04   3   コードは無効/code is void;ログアウト/logged out   送金の手続きを最初から/Start the transfer again;再開はできない/cannot be resumed
Y-TRANSFER-2  transfer            ワンタイムパスワード(トークン)/One-time password (token)   3;99   コードは無効/code is void;ログアウト/logged out;ログイン不可/Login: blocked   送金の手続きを最初から/Start the transfer again;トークンを合わせ直す/token resynchronised
Y-TRANSFER-3  transfer            パスコード/Passcode;認証アプリ/authenticator app   5             パスコード/Passcode;指紋認証/Fingerprint;削除/erased   生体情報とパスコードを登録し直す/Register biometrics and passcode again
Y-TRANSFER-4  transfer            取引コード/Transaction code;設定している/is set    5             登録の削除/enrolment is removed           「口座を追加」/"add account"
Y-PAYEASY-1   payeasy             ワンタイムパスワード(メール)/One-time password (mail);2023-07-04/2023-07-04   3   コードは無効/code is void;ログアウト/logged out   支払先のサイト/payee's site;オンラインの場合/online
Y-PAYEASY-2   payeasy             ワンタイムパスワード(トークン)/One-time password (token)   3;99   コードは無効/code is void;ログアウト/logged out;ログイン不可/Login: blocked   支払先のサイト/payee's site;トークンを合わせ直す/token resynchronised
Y-PAYEASY-3   payeasy             パスコード/Passcode                                5             パスコード/Passcode;指紋認証/Fingerprint;削除/erased   生体情報とパスコードを登録し直す/Register biometrics and passcode again
Y-PAYEASY-4   payeasy             取引コード/Transaction code;設定している/is set    5             登録の削除/enrolment is removed           「口座を追加」/"add account"
Y-MAIL-1      mail-address        ワンタイムパスワード(メール)/One-time password (mail)   15      コードは無効/code is void;ログアウト/logged out   最初からやり直す/from|again;「本登録」や「再登録」/neither final registration nor registration again
Y-MAIL-2      mail-address        パスコード/Passcode                                5             パスコード/Passcode;指紋認証/Fingerprint;削除/erased   生体情報とパスコードを登録し直す/Register biometrics and passcode again
Y-MAIL-3      mail-address        取引コード/Transaction code;設定している/is set    5             登録の削除/enrolment is removed           「口座を追加」/"add account"
Y-ACCOUNT-1   register-account    ワンタイムパスワード(メール)/One-time password (mail)   15      コードは無効/code is void;ログアウト/logged out   最初からやり直す/Start over
Y-ACCOUNT-2   register-account    キャッシュカードの暗証番号/Cash-card PIN;契約がある場合を除く/Not: Of the account or customer it is about: With a contract   4   Web利用申し込み/Web application;テレホンサービスWeb利用申し込み/telephone service;暗証番号・通帳の最終残高の停止/refused everywhere   解除できない/cannot be lifted;書面で申し込み/Apply on paper;利用口座として登録/register the account for use
Y-ACCOUNT-3   register-account    ログインパスワード/Login password;契約がある/With a contract   10   ログイン不可/Login: blocked;操作しているお客さまのものではありません/never the caller's   ログインパスワードを再登録/Register the login password again;オンラインで申し込み直す/Apply again online;ログインパスワードの照会/inquiry of login password
Y-APPLY-1     web-application     基本情報(記号・氏名・生年月日)/Basic data (symbol, name, date of birth)   15   手続きは終了/the procedure ends   最初からやり直す/Start over
Y-APPLY-2     web-application     キャッシュカードの暗証番号/Cash-card PIN           4             Web利用申し込み/Web application;暗証番号・通帳の最終残高の停止/refused everywhere   解除できない/cannot be lifted;書面で申し込み/Apply on paper
Y-APPLY-3     web-application     ワンタイムパスワード/One-time password              15            コードは無効/code is void;ログアウト/logged out   最初からやり直す/Start over
Y-APPLY-4     web-application     パスコード/Passcode                                5             パスコード/Passcode;指紋認証/Fingerprint;削除/erased   生体情報とパスコードを登録し直す/Register biometrics and passcode again
Y-APPLY-5     web-application     ご本人さま確認コード/Identity confirmation code    10;60分/60 min   コードは無効/code is void;Web利用申し込み/Web application;ロック/locked   しばらく時間をおいて/Wait a while
Y-PHONE-1     telephone-service   暗証番号/PIN                                       5             テレホンサービスのロック/Telephone service: locked   暗証番号の照会/inquiry of PIN
Y-PHONE-2     telephone-service   利用番号/user number                               5             テレホンサービスのロック/Telephone service: locked   利用番号のご案内の再発行/reissue of the user-number notice
"""

SHARED = [
    ("Y-TRANSFER-2", "Y-PAYEASY-2"), ("Y-TRANSFER-3", "Y-PAYEASY-3"), ("Y-TRANSFER-3", "Y-MAIL-2"), ("Y-TRANSFER-3", "Y-APPLY-4"),
    ("Y-TRANSFER-4", "Y-PAYEASY-4"), ("Y-TRANSFER-4", "Y-MAIL-3"), ("Y-ACCOUNT-2", "Y-APPLY-2"), ("Y-LOGIN-3", "Y-ACCOUNT-3"),
]
"""Rows whose wrong entries are one count."""

LEFT_BEHIND = {
    "Y-ABOLISHED-1": ("2019-04-21", "ダイレクト暗証番号/direct PIN", "利用停止の解除/lifting of a suspension"),
    "Y-ABOLISHED-2": ("2021-05-06", "合言葉/Secret word|secret word", "オンラインで申し込み直す/Apply again online"),
    "Y-ABOLISHED-3": ("2023-07-04", "目の不自由なお客さま/impaired sight", "メールワンタイムパスワード利用申込書/one-time passwords by mail"),
}

USED_THE_DIRECT_PIN = [
    "初回ログイン時のパスワード変更/password at first login", "ダイレクト暗証番号の変更/Change of the direct PIN", "送金予約/scheduled remittance",
    "送金限度額の引下げ/daily remittance limit", "ATMの利用上限額・回数の引下げ/ATM amount and count", "デビットカード/Debit card",
    "合言葉の初期化/Resetting the secret word", "携帯電話の登録の取消し/registered mobile phone", "口座振替の受付/Account-transfer reception",
    "切替え/Change to", "担保定額・定期貯金の払戻し/secured fixed-amount and time deposits", "国際送金/international remittance",
]

FORMS = {"F1 ①": "ログインパスワードの照会/inquiry of login password", "F1 ⑤": "利用停止の解除/lifting of a suspension",
         "F2": "暗証番号の照会/inquiry of PIN", "F3": "書面での利用申し込み/Written application", "F4": "メールワンタイムパスワード利用申込書/by mail"}


class Row(NamedTuple):
    """One row of the article."""

    id: str
    page: str
    cells: list[str]
    """What its entry must say: item, figures, penalty and ways back."""


def rows():
    return list(_rows())


def _rows():
    for line in TABLE.strip().splitlines():
        id_, page, *cells = [cell.strip() for cell in line.split("  ") if cell.strip()]
        yield Row(id_, page, [part for cell in cells for part in cell.split(";") if part != "-"])


def told(cell, language):
    """One cell in a language: any one of the texts it gives is enough."""
    ja, _, en = cell.partition("/")
    return (ja if language == "ja" or not en else en).split("|")
