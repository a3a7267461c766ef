"""What is known of a transfer when it has ended: its report, and the variables of `-w`."""

from __future__ import annotations

import httpx

from mphttp import Report

from ..printable import decoded
from ..redirect import leads_to
from .download import Download
from .measured import Measured
from .message import Message

Told = dict[str, object]
"""The fields of a report, as JSON has them."""


def told(download: Download) -> Told:
    """Return what `--report` tells of a transfer: its last attempt's report, and what led to it.

    What people were told on the way stands first among the problems, at 0 s. A deadline is the one
    that was asked for, from the first attempt on.
    """
    report = download.attempt.report if download.attempt else None
    if report is not None:
        report.wait()
    facts = _without_answer(download) if report is None else dict(report.to_dict())
    if download.sha256 is not None:
        facts["sha256"] = download.sha256
    if download.strategy is not None and download.retries:
        facts["strategy"] = _strategy(download)
        if isinstance(before := facts.get("deadline"), dict):
            now = {"seconds": download.strategy.deadline, "met": download.deadline_met}
            facts["deadline"] = before | now
    remarks = [{"at": 0.0, "what": words, "hint": ""} for words in download.remarks]
    problems = facts["problems"]
    assert isinstance(problems, list)
    facts["problems"] = [*remarks, *problems, *_failure(download, facts["seconds"])]
    return facts


def _without_answer(download: Download) -> dict[str, object]:
    return {
        "url": _shown(download.job.message.url),
        "bytes": 0,
        "seconds": round(download.seconds, 6),
        **({"strategy": _strategy(download)} if download.strategy else {}),
        "subflows": [],
        "events": [],
        "problems": [],
    }


def _strategy(download: Download) -> dict[str, object]:
    strategy = download.strategy
    return {"name": strategy.name, **strategy.parameters()} if strategy else {}


def _failure(download: Download, at: object) -> list[dict[str, object]]:
    failure = download.failure
    return [{"at": at, "what": failure.what, "hint": failure.hint}] if failure else []


def variables(download: Download) -> dict[str, object]:
    """Return the variables of `-w`, what `%header{}` reads, and the report for `%{json}`.

    Sizes and times are those of the last attempt, as curl's are; sizes count bytes on the wire.
    """
    failure, message = download.failure, download.job.message
    return {
        **_of_command(download),
        **_of_answer(download.attempt.response if download.attempt else None, message),
        **_of_condition(download),
        **_of_transfer(download),
        "errormsg": failure.what if failure else None,
        "exitcode": int(failure.code) if failure else 0,
        "report": told(download),
    }


def _of_command(download: Download) -> dict[str, object]:
    message, output = download.job.message, download.output
    return {
        "filename_effective": None if output == "-" else output,
        "method": message.method,
        "num_retries": download.retries,
        "strategy": download.strategy.name if download.strategy else None,
        "deadline_met": download.deadline_met,
        "sha256": download.sha256,
        "url": _as_typed(message.url, message),
        "urlnum": download.job.number,
    }


def _of_answer(response: httpx.Response | None, message: Message) -> dict[str, object]:
    if response is None:
        return {"http_code": 0, "response_code": 0, "num_redirects": 0, "num_headers": 0}
    onward = leads_to(response)
    lists = _field_lists(response.headers)
    fields = {name: values[0] for name, values in lists.items()}  # the first, as curl does
    return {
        "content_type": fields.get("content-type"),
        "headers": fields,
        "header_lists": lists,
        "http_code": response.status_code,
        "http_version": response.http_version.removeprefix("HTTP/"),
        "num_headers": len(response.headers.multi_items()),
        "num_redirects": len(response.history),
        "referer": response.request.headers.get("referer"),
        "method": response.request.method,
        "redirect_url": _shown(onward) if onward else None,
        "response_code": response.status_code,
        "scheme": response.url.scheme.upper(),
        "url_effective": _as_typed(response.url, message),
    }


def _shown(url: httpx.URL) -> str:
    """Write a URL for reports and logs, where a password has no place."""
    return str(url.copy_with(userinfo=b"", raw_path=url.raw_path))  # a "/" where there is none


def _as_typed(url: httpx.URL, message: Message) -> str:
    """Write a URL; the host that was asked for first stands as it was typed, as in curl."""
    host = url.raw_host.decode("ascii")
    typed = message.typed_host if host == message.url.raw_host.decode("ascii") else ""
    return _shown(url).replace(f"//{host}", f"//{typed}", 1) if typed else _shown(url)


def _of_condition(download: Download) -> dict[str, object]:
    """Return the status that a server would have given that knows -z, as curl does."""
    unmet = download.attempt is not None and download.attempt.unmet
    return {"http_code": 304, "response_code": 304} if unmet else {}


def _field_lists(headers: httpx.Headers) -> dict[str, list[str]]:
    """Return the values of all fields by names in lower case."""
    told: dict[str, list[str]] = {}
    for name, value in headers.raw:
        told.setdefault(decoded(name).lower(), []).append(decoded(value))
    return told


def _of_transfer(download: Download) -> dict[str, object]:
    attempt = download.attempt
    report = attempt.report if attempt else None
    measured = attempt.measured if attempt else Measured()
    times, uploaded = measured.times, measured.size_upload
    size, total = report.bytes if report else 0, times.get("total", 0.0)
    return {
        "size_download": size,
        "http_connect": measured.proxy_status,
        "size_header": measured.size_header,
        "size_request": measured.size_request,
        "size_upload": uploaded,
        "speed_upload": int(uploaded / total) if total else 0,
        "num_connects": measured.connects,
        "proxy_ssl_verify_result": 0,
        "ssl_verify_result": 0,
        "speed_download": int(size / total) if total else 0,
        "time_appconnect": times.get("appconnect", 0.0),
        "time_connect": times.get("connect", 0.0),
        "time_pretransfer": times.get("appconnect", times.get("connect", 0.0)),
        "time_redirect": times.get("redirect", 0.0),
        "time_starttransfer": times.get("starttransfer", 0.0),
        "time_total": total,
        **(_of_paths(report) if report else {"subflows": 0}),
    }


def _of_paths(report: Report) -> dict[str, object]:
    subflows = report.subflows
    first = subflows[0] if subflows else None
    return {
        "local_ip": first.local[0] if first else None,
        "local_port": first.local[1] if first else None,
        "mechanism": report.mechanism,
        "problems": len(report.problems),
        "protocol": report.protocol,
        "remote_ip": first.remote[0] if first else None,
        "remote_port": first.remote[1] if first else None,
        "subflows": len(subflows),
    }
