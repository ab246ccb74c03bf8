"""Protobuf schemas as message classes: from a descriptor set, or from `.proto` text that protoc compiles.

protoc runs as a process of its own in an empty directory that holds nothing but the schema and what it refers to, so
that text from a hostile capture can read nothing, and a crash or a flood of messages stays there.
"""

from __future__ import annotations

import base64
import binascii
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message

from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.schemas import TEXT_LIMIT, Schema

ROOT_FILE = "blackbox_root.proto"
COMPILE_SECONDS = 30.0
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-+@/ ]*")
_SHIPPED = (
    "any",
    "api",
    "duration",
    "empty",
    "field_mask",
    "source_context",
    "struct",
    "timestamp",
    "type",
    "wrappers",
)
_CONFLUENT = {
    "confluent/meta.proto": """syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto";
        message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
        extend google.protobuf.FileOptions { Meta file_meta = 1088; }
        extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
        extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
        extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
        extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }""",
    "confluent/type/decimal.proto": """syntax = "proto3"; package confluent.type;
        message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }""",
}
"""What Confluent's registry lets every schema import without a reference."""


def descriptor_set(schema: Schema, referenced: Mapping[str, Schema]) -> descriptor_pb2.FileDescriptorSet:
    """The files that `schema` needs, itself last. Raises PayloadError.

    Keep it (`with_descriptor`) to decode where no compiler is installed.
    """
    if schema.descriptor is None:
        return _from_base64(schema, referenced) or _compile(schema, referenced)
    try:
        raw = base64.b64decode(schema.descriptor, validate=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(raw)
    except (binascii.Error, DecodeError) as error:
        raise PayloadError(Reason.BAD_SCHEMA, f"{schema.title}: not a descriptor set") from error
    if not files.file:
        raise PayloadError(Reason.BAD_SCHEMA, f"{schema.title}: an empty descriptor set")
    return files


def _from_base64(schema: Schema, referenced: Mapping[str, Schema]) -> descriptor_pb2.FileDescriptorSet | None:
    """Some serializers register a file's descriptor in base64 in the place of its text; None when it is text."""
    files = []
    for name, text in [*((name, other.text) for name, other in referenced.items()), (ROOT_FILE, schema.text)]:
        try:
            file = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(text, validate=True))
        except (ValueError, DecodeError):
            return None
        file.name = name
        files.append(file)
    return descriptor_pb2.FileDescriptorSet(file=files) if schema.text else None


def with_descriptor(schema: Schema, referenced: Mapping[str, Schema]) -> Schema:
    """The schema with its compiled form beside its text. Raises PayloadError."""
    import msgspec

    raw = descriptor_set(schema, referenced).SerializeToString(deterministic=True)
    return msgspec.structs.replace(schema, descriptor=base64.b64encode(raw).decode())


def message_class(
    schema: Schema, referenced: Mapping[str, Schema], indexes: tuple[int, ...] | None = None
) -> type[Message]:
    """The class of the message that `indexes` (else `schema.message`, else the first one) say. Raises PayloadError."""
    files = descriptor_set(schema, referenced)
    pool = descriptor_pool.DescriptorPool()
    try:
        _add(pool, files)
        file = pool.FindFileByName(files.file[-1].name)
        chosen = _by_name(pool, schema.message) if indexes is None and schema.message else None
        found = chosen or _by_indexes(file, files.file[-1], indexes or (0,))
        made: type[Message] = message_factory.GetMessageClass(found)
        return made
    except RecursionError as error:
        raise PayloadError(Reason.TOO_DEEP, f"{schema.title}: schema") from error
    except (TypeError, KeyError, ValueError) as error:
        raise PayloadError(Reason.BAD_SCHEMA, f"{schema.title}: {error!s:.300}") from error


def _add(pool: descriptor_pool.DescriptorPool, files: descriptor_pb2.FileDescriptorSet) -> None:
    """Add the files in the order that they need each other; the well-known ones come from the library if missing."""
    waiting = {file.name: file for file in files.file}
    added: set[str] = set()

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in added:
            return
        if name in above or len(above) > 200:
            raise ValueError(f"{name!r:.100} imports itself")
        file = waiting.get(name) or _shipped(name)
        for needed in file.dependency:
            add(needed, (*above, name))
        pool.Add(file)
        added.add(name)

    for file in files.file:
        add(file.name, ())


def _shipped(name: str) -> descriptor_pb2.FileDescriptorProto:
    known = {f"google/protobuf/{short}.proto": f"google.protobuf.{short}_pb2" for short in (*_SHIPPED, "descriptor")}
    if name not in known:
        raise PayloadError(Reason.MISSING_REFERENCE, f"import {name!r:.100}")
    file = descriptor_pb2.FileDescriptorProto()
    importlib.import_module(known[name]).DESCRIPTOR.CopyToProto(file)
    return file


def _by_name(pool: descriptor_pool.DescriptorPool, name: str | None) -> Descriptor | None:
    if name is None:
        return None
    try:
        return pool.FindMessageTypeByName(name)
    except KeyError as error:
        raise ValueError(f"no message {name!r:.100}") from error


def _by_indexes(file: Any, proto: descriptor_pb2.FileDescriptorProto, indexes: tuple[int, ...]) -> Descriptor:
    """The message at a path of positions, as the file declares them."""
    declared: Any = proto.message_type
    holder = file.message_types_by_name
    found: Descriptor | None = None
    for index in indexes:
        if index >= len(declared):
            raise PayloadError(Reason.TRUNCATED_FRAME, f"message index {index} of {len(declared)}")
        found = holder[declared[index].name]
        holder, declared = found.nested_types_by_name, declared[index].nested_type
    assert found is not None
    return found


def _compile(schema: Schema, referenced: Mapping[str, Schema]) -> descriptor_pb2.FileDescriptorSet:
    if importlib.util.find_spec("grpc_tools") is None:
        raise PayloadError(
            Reason.NO_COMPILER, f"{schema.title}: pip install 'kafka-blackbox[registry]', or give a descriptor set"
        )
    with tempfile.TemporaryDirectory(prefix="blackbox-proto-") as place:
        folder = Path(place)
        for name, text in _texts(schema, referenced):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="replace")
        shipped = Path(str(importlib.util.find_spec("grpc_tools").submodule_search_locations[0])) / "_proto"  # type: ignore[union-attr, index]
        command = [sys.executable, "-I", "-m", "grpc_tools.protoc", f"-I{folder}", f"-I{shipped}"]
        command += ["--include_imports", f"--descriptor_set_out={folder / 'out.desc'}", ROOT_FILE]
        try:
            done = subprocess.run(command, capture_output=True, cwd=folder, timeout=COMPILE_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise PayloadError(Reason.TOO_LARGE, f"{schema.title}: takes too long to compile") from error
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").replace(ROOT_FILE, "schema").strip()
            reason = Reason.MISSING_REFERENCE if "File not found" in said else Reason.BAD_SCHEMA
            raise PayloadError(reason, f"{schema.title}: {' '.join(said.split()):.300}")
        return descriptor_pb2.FileDescriptorSet.FromString((folder / "out.desc").read_bytes())


def _texts(schema: Schema, referenced: Mapping[str, Schema]) -> Iterator[tuple[str, str]]:
    """(path below the directory, text) of all files, none of them outside it. Raises PayloadError."""
    texts = {name: other.text for name, other in referenced.items()}
    for name, text in {**_CONFLUENT, **texts, ROOT_FILE: schema.text}.items():
        parts = PurePosixPath(name).parts
        if not _NAME.fullmatch(name) or ".." in parts or "." in name.split("/") or len(name) > 500:
            raise PayloadError(Reason.BAD_SCHEMA, f"{schema.title}: refers to {name!r:.100}")
        if len(text) > TEXT_LIMIT:
            raise PayloadError(Reason.TOO_LARGE, f"a schema of {len(text):,} characters")
        yield name, text
