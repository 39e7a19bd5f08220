"""The story of a deal as a person would tell it."""

from collections.abc import Iterator
from typing import Any

import click

from dirigent.commands.journal import guards_in_words
from dirigent.output import rfc3339, text


def tell(document: dict[str, Any]) -> None:
    for line in lines(document):
        click.echo(line)


def lines(document: dict[str, Any]) -> Iterator[str]:
    yield _title(document)
    yield from _beginning(document)
    for order in document["orders"]:
        if order["leg"] == "entry":
            yield from _order(order)
    yield from _waiting(document)
    yield from _leaving(document)
    for order in document["orders"]:
        if order["leg"] != "entry":
            yield from _order(order)
    yield from _money(document["money"])
    yield from _troubles(document)


def _at(at_ms: int | None) -> str:
    return rfc3339(at_ms) if at_ms else "at an unknown time"


def _title(document: dict[str, Any]) -> str:
    money, title = document["money"], f"{document['id']} {document['symbol']}: {document['state']}"
    if money["profit"] is not None:
        word = "loss" if money["profit"] < 0 else "profit"
        share = f" ({money['return']:+.4%})" if money["return"] is not None else ""
        title += f", {word} {text(abs(money['profit']))} {money['quote']}{share}"
    if document["opened_at"] and document["closed_at"]:
        title += f", held for {(document['closed_at'] - document['opened_at']) / 1000:g} s"
    return title


def _beginning(document: dict[str, Any]) -> Iterator[str]:
    signal, decision = document["signal"], document["decision"]
    if signal is None:
        yield f"begin     {_at(document['created_at'])}  no signal: {document['reason'] or 'given by a person'}"
        return
    yield f"signal    {_at(signal['at'])}  {signal['votes'] or 'no reason was given'}"
    if signal["guards"]:
        yield f"          {_at(signal['accepted_at'])}  accepted: {guards_in_words(signal['guards'])}"
    if decision is not None:
        yield f"decision  {_at(decision['at'])}  {guards_in_words(decision['guards'])}"
        price, quota = text(decision["reference_price"]), text(decision["quota"])
        yield f"          a deal of {quota} at a price of {price}; exits: {_exits(document['rules'])}"


def _exits(rules: dict[str, Any]) -> str:
    told = [
        f"{name.removesuffix('_s').replace('_', ' ')} {value}{' s' if name.endswith('_s') else ''}"
        for name, value in rules.items()
        if value is not None and not isinstance(value, bool)
    ]
    told += ["sell signal"] if rules.get("exit_on_sell_signal") else []
    return ", ".join(told) or "none but by a person"


def _order(order: dict[str, Any]) -> Iterator[str]:
    limit = f" at {text(order['price'])} or better" if order["price"] is not None else ""
    yield (
        f"{order['leg']:<10}{_at(order['created_at'])}  {order['type']} order {order['client_order_id']}:"
        f" {order['side']} {text(order['amount'])}{limit}"
    )
    for gap in order["unknown"]:
        until = f"until {_at(gap['until'])}: {gap['settled_by']}, {gap['as']}" if gap["until"] else "still"
        yield f"          {_at(gap['since_at'])}  nobody knew what became of it, {until}"
    for fill in order["fills"]:
        fee = f", fee {text(fill['fee'])} {fill['fee_currency']}" if fill["fee"] else ""
        yield f"          {_at(fill['at'])}  trade {fill['id']}: {text(fill['amount'])} at {text(fill['price'])}{fee}"
    took = f" after {order['took_ms']} ms" if order["took_ms"] is not None else ""
    filled = f"{text(order['filled'])} of {text(order['amount'])} filled"
    average = f" at {text(order['average'])} on average" if order["average"] is not None else ""
    because = "; ".join(word for word in (order["cancel_reason"], order["reason"]) if word)
    yield f"          {order['state']}{took}: {filled}{average}" + (f" ({because})" if because else "")


def _waiting(document: dict[str, Any]) -> Iterator[str]:
    if document["exit"] is None and document["opened_at"] and not document["closed_at"]:
        yield f"open      {_at(document['opened_at'])}  it waits for its exits: {_exits(document['rules'])}"


def _leaving(document: dict[str, Any]) -> Iterator[str]:
    left = document["exit"]
    if left is not None:
        guards = f": {guards_in_words(left['guards'])}" if left["guards"] else ""
        yield f"leaving   {_at(left['triggered_at'])}  {left['reason'].replace('_', ' ')}{guards}"


def _money(money: dict[str, Any]) -> Iterator[str]:
    base, quote = money["base"], money["quote"]
    entry = f", {text(money['entry_price'])} each" if money["entry_price"] is not None else ""
    yield f"money     bought {text(money['bought'])} {base} for {text(money['spent'])} {quote}{entry}"
    if money["sold"]:
        each = f", {text(money['exit_price'])} each" if money["exit_price"] is not None else ""
        yield f"          sold {text(money['sold'])} {base} for {text(money['received'])} {quote}{each}"
    others = "".join(f" and {text(fee)} {coin}" for coin, fee in money["fees_in_other_coins"].items())
    yield f"          fees {text(money['fee_quote'])} {quote} and {text(money['fee_base'])} {base}{others}"
    if money["dust"]:
        yield f"          {text(money['dust'])} {base} stay as dust; what they cost is part of the result"
    result = f"{text(money['received'])} - {text(money['spent'])} - {text(money['fee_quote'])}"
    if money["profit"] is not None:
        yield f"          {result} = {text(money['profit'])} {quote}"
    elif money["worth"] is not None:
        yield (
            f"          {text(money['quantity'])} {base} are held, worth {text(money['worth'])} {quote}"
            f" at {text(money['last_price'])}"
        )
        yield (
            f"          {result} + {text(money['worth'])} ="
            f" {text(money['profit_if_sold_at_last_price'])} {quote}, were it sold at that without a fee"
        )
    if not money["adds_up"]:
        yield "          THE SUMS DO NOT AGREE with the fills: run `dirigent verify`"


def _troubles(document: dict[str, Any]) -> Iterator[str]:
    for anomaly in document["anomalies"]:
        yield f"anomaly   {_at(anomaly['at'])}  {anomaly['machine']} {anomaly['subject_id']}: {anomaly['words']}"
    for event in document["permissions"]:
        words = f": {event['reason']}" if event["reason"] else ""
        note = f" ({event['note']})" if event["note"] else ""
        yield f"meanwhile {_at(event['at'])}  {event['subject_id']} became {event['target']}{words}{note}"
    for event in document["events"]:
        if event["note"] and event["outcome"] != "anomaly":
            yield f"note      {_at(event['at'])}  {event['event']}: {event['note']}"
    if not document["anomalies"]:
        yield "anomalies none"
    if not document["restarts"]:
        yield "restarts  none"
    for restart in document["restarts"]:
        began = _at(restart["first_entry_at"])
        yield f"restart   {began}  the engine's start number {restart['epoch']} went on from here"
