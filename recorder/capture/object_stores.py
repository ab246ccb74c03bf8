"""Object stores by URI: what `s3://bucket/prefix?endpoint=…` says, a client for it, and its errors as sentences.

Parsing imports nothing heavy. Credentials come from the provider's usual places; those inside a URI work, but are
never shown again: whatever prints or keeps a URI takes it from `masked`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlencode

from recorder.errors import StoreUnavailableError, UsageError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

OPTIONS = {
    "s3": ("endpoint", "region", "path_style", "anonymous"),
    "gs": ("endpoint", "anonymous"),
    "az": ("endpoint", "account"),
}
"""The stores that can be named, and what a URI's query may say of each."""

CONNECT_SECONDS, SILENCE_SECONDS, ATTEMPTS = 5.0, 10.0, 3
"""A store that does not connect, or sends nothing for so long, is tried again; then it is an error."""

_LIKE_A_URI = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_SWITCHES = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_FOREIGN = re.compile(r"AWS Error|google::cloud::Status|Azure Error|curlCode|CURL error|Failed for|failed for 'https?:")
_DENIED = re.compile(r"ACCESS_DENIED|AccessDenied|PERMISSION_DENIED|HTTP status 403|Authorization|Forbidden", re.I)
_UNKNOWN_KEY = re.compile(r"INVALID_ACCESS_KEY|InvalidAccessKey|SIGNATURE|UNAUTHENTICATED|INVALID_CLIENT_TOKEN", re.I)
_NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|NoSuchBucket|ContainerNotFound|bucket does not exist", re.I)
_REGION = re.compile(r"HTTP status 301|PermanentRedirect|bucket is located in|AuthorizationHeaderMalformed", re.I)
_NETWORK = re.compile(r"NETWORK_CONNECTION|curlCode|CURL error|resolve host|connection|UNAVAILABLE|timeout", re.I)


@dataclass(frozen=True, slots=True)
class Store:
    """A bucket (or container) and how to get there. Hashable, and small to send to a worker process."""

    scheme: str
    bucket: str
    options: tuple[tuple[str, str], ...] = ()
    credentials: tuple[str, str] | None = field(default=None, repr=False)

    def option(self, name: str) -> str | None:
        return dict(self.options).get(name)

    @property
    def query(self) -> str:
        """The options as a URI's query, none of them secret."""
        return f"?{urlencode(self.options, safe='/:')}" if self.options else ""


def is_uri(text: str) -> bool:
    """Whether `text` names a place by URI; a scheme's name with a single slash is a slip, not a directory."""
    return bool(_LIKE_A_URI.match(text)) or (text.partition(":")[0] in OPTIONS and ":" in text)


def parse_uri(text: str) -> tuple[Store, str]:
    """The store and the key prefix, without slashes at its ends; UsageError when the URI can't mean anything."""
    shown = masked(text)
    matched = _LIKE_A_URI.match(text)
    scheme = matched[1].lower() if matched else ""
    if matched is None or scheme not in OPTIONS:
        raise UsageError(f"{shown} names no place: say a directory, s3://bucket/prefix, gs://… or az://….")
    rest, _, query = text[matched.end() :].partition("?")
    authority, _, prefix = rest.partition("/")
    user, at, bucket = authority.rpartition("@")
    name, colon, secret = user.partition(":")
    if at and not (name and colon and secret):
        raise UsageError(f"{shown}: what stands before @ must be KEY:SECRET, with / written as %2F.")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", bucket):
        raise UsageError(f"{shown} names no bucket: say {scheme}://bucket/prefix.")
    prefix = prefix.rstrip("/")
    if prefix and any(part in {"", ".", ".."} for part in prefix.split("/")):
        raise UsageError(f"{shown}: the prefix may not hold empty parts, '.' or '..'.")
    options = _options(scheme, query, shown)
    return Store(scheme, bucket, options, (unquote(name), unquote(secret)) if at else None), prefix


def masked(text: str) -> str:
    """The same text; of a URI, without credentials and without the values of options that nobody knows."""
    matched = _LIKE_A_URI.search(text)
    if matched is None:
        return text
    rest, mark, query = text[matched.end() :].partition("?")
    authority = rest.partition("/")[0]
    if "@" in authority:
        rest = "…@" + authority.rpartition("@")[2] + rest[len(authority) :]
    elif ":" in authority and "@" in rest:  # a secret with a slash in it
        rest = "…@" + rest.rpartition("@")[2]
    known = {name for names in OPTIONS.values() for name in names}
    words = [word.partition("=") for word in query.split("&")] if mark else []
    kept = [f"{name}={masked(value) if name in known else '…'}" for name, _, value in words]
    return f"{text[: matched.end()]}{rest}{mark}{'&'.join(kept)}"


@lru_cache(maxsize=16)
def file_system(store: Store) -> FileSystem:
    """This process's client for a store. Nothing is asked of the store yet."""
    return {"s3": _s3, "gs": _gs, "az": _az}[store.scheme](store, os.environ)


@contextmanager
def explaining(store: Store, what: str) -> Iterator[None]:
    """Turn a store's errors into StoreUnavailableError; FileNotFoundError and what is no store's error pass."""
    try:
        yield
    except OSError as error:
        trouble = store_trouble(error, store, what)
        if trouble is None:
            raise
        raise trouble from error


def store_trouble(error: BaseException, store: Store, what: str) -> StoreUnavailableError | None:
    """What a store's error means and what to do; None when `error` does not come from a store. `what`: the object."""
    text = str(error)
    if isinstance(error, FileNotFoundError) or not _FOREIGN.search(text):
        return None
    place, said = f"{store.scheme}://{store.bucket}", _said(text)
    if _NO_BUCKET.search(text):
        sentence = f"There is no bucket {place}: create it first, or check the name, the region and the endpoint."
    elif _REGION.search(text):
        sentence = f"{place} is in another region: name it with AWS_REGION or ?region=… ({said})."
    elif _UNKNOWN_KEY.search(text):
        sentence = f"{place} does not know these credentials: {_CREDENTIALS[store.scheme]} ({said})."
    elif _DENIED.search(text):
        sentence = f"No right to {what}: ask for it, or check the credentials ({said})."
    elif _NETWORK.search(text):
        sentence = f"{place} does not answer: check the network, the region and the endpoint ({said})."
    else:
        sentence = f"{place} refused {what}: {said}."
    final = any(known.search(text) for known in (_NO_BUCKET, _REGION, _UNKNOWN_KEY, _DENIED))
    return StoreUnavailableError(sentence, may_pass=not final)


def no_bucket(store: Store) -> StoreUnavailableError:
    """The error for a bucket that does not exist."""
    return StoreUnavailableError(
        f"There is no bucket {store.scheme}://{store.bucket}: create it first, or check the name, the region and the "
        "endpoint."
    )


_CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS to a key file",
    "az": "set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN",
}


def _said(text: str) -> str:
    """The store's own words, short and without request ids."""
    line = " ".join(text.split())
    line = re.sub(r"^When .*?: (?=AWS Error)|^.*(Details:|last message of|error message was:) ", "", line)
    line = re.sub(r" ?\(Request ID: [^)]*\)| error_info=.*", "", line)
    return (line if len(line) <= 200 else line[:199] + "…").rstrip(". ")


def _options(scheme: str, query: str, shown: str) -> tuple[tuple[str, str], ...]:
    found = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in OPTIONS[scheme]:
            raise UsageError(f"{shown}: {scheme}:// knows no option '{name}', only {', '.join(OPTIONS[scheme])}.")
        if name in {"anonymous", "path_style"} and value.lower() not in _SWITCHES:
            raise UsageError(f"{shown}: {name} is true or false.")
        if not value or (name == "endpoint" and "@" in value):
            raise UsageError(f"{shown}: {name} needs a value" + (" without credentials." if value else "."))
        found[name] = value
    return tuple(sorted(found.items()))


def _switch(store: Store, name: str, default: bool) -> bool:
    value = store.option(name)
    return default if value is None else _SWITCHES[value.lower()]


def _endpoint(text: str | None) -> dict[str, str]:
    if not text:
        return {}
    scheme, _, host = text.rpartition("://")
    return {"endpoint_override": host.rstrip("/"), "scheme": scheme or "https"}


def _s3(store: Store, environment: Mapping[str, str]) -> FileSystem:
    from pyarrow import fs

    where = _endpoint(
        store.option("endpoint") or environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    )
    region = store.option("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if region is None and not where and "AWS_PROFILE" not in environment:
        try:
            region = fs.resolve_s3_region(store.bucket)
        except OSError:
            region = None  # the first request will say what is wrong
    key, secret = store.credentials or (None, None)
    return fs.S3FileSystem(
        access_key=key,
        secret_key=secret,
        anonymous=_switch(store, "anonymous", False),
        region=region,
        force_virtual_addressing=not _switch(store, "path_style", True),
        connect_timeout=CONNECT_SECONDS,
        request_timeout=SILENCE_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        **where,
    )


def _gs(store: Store, environment: Mapping[str, str]) -> FileSystem:
    from datetime import timedelta

    from pyarrow import fs

    if store.credentials:
        raise UsageError(f"gs:// takes no credentials in the URI: {_CREDENTIALS['gs']}.")
    where = _endpoint(store.option("endpoint") or environment.get("STORAGE_EMULATOR_HOST"))
    return fs.GcsFileSystem(
        anonymous=_switch(store, "anonymous", False),
        retry_time_limit=timedelta(seconds=CONNECT_SECONDS),
        **where,
    )


def _az(store: Store, environment: Mapping[str, str]) -> FileSystem:
    from pyarrow import fs

    account, key = store.credentials or (None, None)
    account = account or store.option("account") or environment.get("AZURE_STORAGE_ACCOUNT")
    key = key or environment.get("AZURE_STORAGE_KEY")
    token = None if key else environment.get("AZURE_STORAGE_SAS_TOKEN")
    if not account:
        raise UsageError(f"Which storage account holds {store.bucket}? Set AZURE_STORAGE_ACCOUNT, or say ?account=….")
    if not key and not token:
        # Arrow's client ends the whole process when the other ways to log in find nothing.
        raise UsageError(f"No credentials for the storage account {account}: {_CREDENTIALS['az']}.")
    where = _endpoint(store.option("endpoint"))
    emulator = {
        f"{kind}_storage_{name}": value
        for kind in ("blob", "dfs")
        for name, value in (("authority", where.get("endpoint_override")), ("scheme", where.get("scheme")))
        if value
    }
    return fs.AzureFileSystem(account, account_key=key, sas_token=token, **emulator)
