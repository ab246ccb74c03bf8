"""URIs of object stores: what they may say, what of them may be shown, and errors without a network."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from recorder.capture.lineage import without_secrets
from recorder.capture.locations import ObjectPath, locate
from recorder.capture.object_stores import Store, masked, parse_uri, store_trouble
from recorder.capture.reader import open_capture
from recorder.errors import StoreUnavailableError, UsageError
from tests.cli.running import run


@pytest.mark.parametrize(
    ("text", "scheme", "bucket", "prefix"),
    [
        ("s3://bucket/a/b", "s3", "bucket", "a/b"),
        ("s3://bucket/a b/ü%20/", "s3", "bucket", "a b/ü%20"),
        ("S3://bucket", "s3", "bucket", ""),
        ("gs://my_bucket.example/x", "gs", "my_bucket.example", "x"),
        ("az://container/x?account=acme", "az", "container", "x"),
        ("s3://b/x?endpoint=http://localhost:9000&region=eu-west-1&anonymous=true&path_style=false", "s3", "b", "x"),
    ],
)
def test_a_uri_names_a_bucket_and_a_prefix(text: str, scheme: str, bucket: str, prefix: str) -> None:
    store, key = parse_uri(text)
    assert (store.scheme, store.bucket, key) == (scheme, bucket, prefix)


@pytest.mark.parametrize(
    "text",
    [
        "s3:/bucket/x",
        "s3:bucket",
        "s3://",
        "s3:///x",
        "s3://buck:et/x",
        "s3://bucket/a//b",
        "s3://bucket/a/../../other",
        "s3://bucket/./x",
        "s3://bucket/x?endpoint=",
        "s3://bucket/x?anonymous=perhaps",
        "s3://bucket/x?account=acme",
        "s3://key@bucket/x",
        "s3://bucket/x?endpoint=http://user:pw@localhost",
        "http://bucket/x",
        "hdfs://host/x",
    ],
)
def test_a_uri_that_means_nothing_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        locate(text)


def test_a_path_stays_a_path() -> None:
    assert str(locate("incident/2026")) == "incident/2026"
    assert not isinstance(locate("a:b"), ObjectPath)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://AKIA:s%2Fcret@bucket/x", "s3://…@bucket/x"),
        ("s3://AKIA:s/cret@bucket/x", "s3://…@bucket/x"),
        ("s3://bucket/x?region=eu-west-1&token=cret", "s3://bucket/x?region=eu-west-1&token=…"),
        ("s3://bucket/x?endpoint=http://u:cret@host", "s3://bucket/x?endpoint=http://…@host"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
        ("plain", "plain"),
    ],
)
def test_what_is_shown_of_a_uri_holds_no_secret(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_a_history_keeps_no_credentials_of_a_uri() -> None:
    kept = without_secrets(["blackbox", "record", "-o", "s3://AKIA:cret@bucket/x", "--output=s3://AKIA:cret@bucket/x"])
    assert kept == ("blackbox", "record", "-o", "s3://…@bucket/x", "--output=s3://…@bucket/x")


def test_credentials_are_not_in_any_text_of_a_location() -> None:
    location = locate("s3://AKIA:cret@bucket/x?region=eu-west-1") / "manifest.json"
    assert isinstance(location, ObjectPath)
    assert str(location) == "s3://bucket/x/manifest.json"
    assert location.uri == "s3://bucket/x/manifest.json?region=eu-west-1"
    assert "cret" not in repr(location)


def test_a_malformed_uri_shows_no_credentials(capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "info", "s3://AKIA:se/cret@bucket/x?bar=cret")
    assert ran.code == 2
    assert "cret" not in ran.sentence()


SAID = {
    "AWS Error NO_SUCH_BUCKET during PutObject operation: The specified bucket does not exist": "There is no bucket",
    "AWS Error ACCESS_DENIED during HeadObject operation: No response body.": "No right to read it",
    "AWS Error INVALID_ACCESS_KEY_ID during GetObject operation: x (Request ID: 1)": "AWS_ACCESS_KEY_ID",
    "AWS Error UNKNOWN (HTTP status 301) during HeadObject operation: No response body.": "another region",
    "AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 6, Could not resolve hostname": "not answer",
    "AWS Error SLOW_DOWN during PutObject operation: Please reduce your request rate.": "refused read it",
    "google::cloud::Status(UNAVAILABLE: Retry policy exhausted, with a last message of CURL error [6])": "not answer",
}


@pytest.mark.parametrize(("text", "meaning"), SAID.items())
def test_a_store_s_error_says_what_to_do(text: str, meaning: str) -> None:
    trouble = store_trouble(OSError(f"When reading information for key 'x': {text}"), Store("s3", "b"), "read it")
    assert isinstance(trouble, StoreUnavailableError)
    assert meaning in str(trouble)
    assert "Request ID" not in str(trouble)


def test_an_error_of_a_file_is_no_store_s() -> None:
    assert store_trouble(OSError("Corrupt snappy compressed data"), Store("s3", "b"), "read it") is None


def test_azure_without_account_or_key_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="AZURE_STORAGE_ACCOUNT"):
        open_capture("az://container/x")
    with pytest.raises(UsageError, match="AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN"):
        open_capture("az://container/x?account=acme")


def test_a_store_that_nobody_answers_for_is_one_sentence() -> None:
    def attempt(uri: str) -> str:
        with pytest.raises(StoreUnavailableError) as raised:
            open_capture(f"{uri}endpoint=http://127.0.0.1:1")
        return str(raised.value)

    uris = ["s3://K:S@bucket/x?", "az://acme:a2V5@container/x?", "gs://bucket/x?anonymous=true&"]
    with ThreadPoolExecutor() as threads:  # each gives up after some seconds
        for sentence in threads.map(attempt, uris):
            assert "does not answer: check the network" in sentence
            assert len(sentence.splitlines()) == 1
