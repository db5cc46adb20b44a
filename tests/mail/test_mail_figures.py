"""What monitoring is told of mail: by domain, so many of them, and never whose."""

import re

from post import fault

from sekisho.flows.mailfigures import DOMAINS, OTHERS, PEOPLE, WATCHED, Happened, MailFigures

LINE = re.compile(r'(sekisho_mail_\w+)\{domain="([^"\n]*)",what="([a-z-]+)"\} (\S+)')


def heard(figures, to, people, what="accepted", after_s=2.0):
    for n in range(people):
        figures.note(Happened(what, to, f"customer:{n}", after_s))


def shown(service):
    text = service.do(service.metrics.get("/metrics")).text
    return {found[:3]: float(found[3]) for found in LINE.findall(text)}


def test_a_domain_has_its_own_name_once_several_customers_have_mail_there():
    figures = MailFigures()
    heard(figures, "a@example.com", PEOPLE - 1)
    heard(figures, "hana@sekimori-hana.example", 1)
    for _ in range(50):
        figures.note(Happened("used", "hana@sekimori-hana.example", "customer:0", 1.0))
    assert {domain for domain, _ in figures.number} == {OTHERS}
    heard(figures, "B@EXAMPLE.com", PEOPLE)
    assert figures.number["example.com", "accepted"] == 1, "from the fifth customer on"


def test_so_many_domains_and_no_more():
    figures = MailFigures()
    for n in range(3 * WATCHED):
        heard(figures, f"x@many-{n}.example", 1)
    assert len(figures._people) == WATCHED
    for n in range(3 * DOMAINS):
        heard(figures, f"x@many-{n}.example", PEOPLE)
    assert len({domain for domain, _ in figures.number} - {OTHERS}) == DOMAINS
    assert sum(figures.number.values()) == 3 * WATCHED + 3 * DOMAINS * PEOPLE, "nothing is lost by that"


def test_a_domain_that_could_break_out_of_its_line_has_no_name():
    figures = MailFigures()
    for to in ('a@x"} 1\nforged 2', "a@", "a", "a@ä.example", "a@" + "x" * 200, "a@-.example"):
        heard(figures, to, 2 * PEOPLE)
    assert {domain for domain, _ in figures.number} == {OTHERS}


def test_nothing_that_happened_is_nothing_that_is_counted():
    figures = MailFigures()
    figures.note(None)
    assert not figures.number


def test_handing_over_reports_and_use_are_counted_and_nobody_is_named(office, verify):
    before = shown(office)

    def more(what):
        return sum(value - before.get(key, 0.0) for key, value in shown(office).items() if key[0] == "sekisho_mail_total" and key[2] == what)

    customer = office.customer("basic-data", "card-pin")
    run = verify.run("mail-address", customer)
    run.reach("mail-otp")
    ids = [one["id"] for one in office.get(f"/v1/procedures/{run.id}/addresses").json()["addresses"]]
    name = run.send("mail-otp", ids[0]).json()["delivery"]
    office.settled(name, "delivered")
    assert (more("accepted"), more("delivered"), more("refused")) == (1, 1, 0)
    office.sink.faults[customer.mails[1]] = fault("unknown")
    office.settled(run.send("mail-otp", ids[1]).json()["delivery"], "not-sent")
    assert (more("accepted"), more("refused")) == (1, 1)
    text = office.do(office.metrics.get("/metrics")).text
    assert "@" not in text and customer.number not in text and customer.mails[0].partition("@")[0] not in text
