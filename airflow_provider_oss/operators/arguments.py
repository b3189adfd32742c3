"""
The arguments of operators: checked when the DAG is parsed, rendered, and checked again when an attempt begins.

What is declared of them is read from the constructors. Where Airflow renders natively, texts stay texts.
"""

from __future__ import annotations

import ast
import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, wraps
from inspect import Signature, signature, unwrap
from numbers import Number
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_oss.declared import KINDS, Annotation, Test, arguments_of, complaint, refuse, takes

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.sdk.bases.operator import BaseOperatorMeta  # noqa: TID251 - for types only
    from airflow.sdk.definitions.xcom_arg import PlainXComArg  # noqa: TID251
else:
    BaseOperatorMeta = type(BaseOperator)  # it has no place that all versions share

_PACKAGE: Final = f"{__name__.partition('.')[0]}."
_REQUIRED: Final = object()
_ATTRIBUTES: Final = {"dry_run": "only_tell"}
"""Arguments that cannot be attributes of their names: ``dry_run`` is a method of every Airflow operator."""


_WHOLE: Final[set[Any]] = set()
"""The constructors of this package, each with the signature of all that may be given to its class."""


class CheckedOperator(BaseOperatorMeta):
    """Makes operators whose arguments can be what they are, as far as that is known when the DAG is parsed."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> Any:
        """Return a class whose constructor tells of all arguments, and is given its ``default_args`` at once."""
        constructor: Any = namespace.get("__init__")
        is_own = constructor is not None and namespace["__module__"].startswith(_PACKAGE)
        if is_own:
            constructor.__signature__ = _whole_signature(constructor, bases)
        made: Any = super().__new__(cls, name, bases, namespace, **kwargs)  # type: ignore[no-untyped-call]  # of Airflow
        if is_own:
            made.__init__ = _applying_once(made.__init__, constructor)
        return made

    @property
    def __signature__(cls) -> Signature:
        """The constructor's, for ``help`` and notebooks: that of ``__call__`` says nothing."""
        _, *parameters = signature(cls.__init__).parameters.values()  # type: ignore[misc]  # it is the class's own
        return Signature(parameters)

    if not TYPE_CHECKING:  # a checker would take this, not the constructor, for what an operator is given

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            """
            Return a new operator. Raises OSSInvalidArgument for a type or a combination that no template mends.

            The instance of a mapped operator is checked by its attempt, which Airflow does not retry then.
            """
            operator = super().__call__(*args, **kwargs)
            if not kwargs.get("_airflow_from_mapped"):
                check_constructed(operator)
            return operator


def _whole_signature(constructor: Any, bases: tuple[Any, ...]) -> Signature:
    """Return the constructor's signature with all arguments that those of its bases in this package take."""
    *own, others = signature(constructor).parameters.values()
    inherited = (
        one for base in bases if base.__init__ in _WHOLE for one in signature(base.__init__).parameters.values()
    )
    named = {one.name: one for one in (*inherited, *own) if one.kind is one.KEYWORD_ONLY}
    return Signature([own[0], *named.values(), others])


def _applying_once(applied: Any, constructor: Any) -> Any:
    """
    Return a constructor that hands out ``default_args``, as Airflow lets each do, unless it is called by another one.

    That has done it for all. A user's own constructor has not: it need not tell of the arguments that it passes on.
    """

    @wraps(applied)
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        first = type(self).__init__
        is_nested = first is not construct and first in _WHOLE
        (constructor if is_nested else applied)(self, *args, **kwargs)

    construct.__wrapped__ = constructor  # Airflow compares
    _WHOLE.add(construct)
    return construct


class CheckedBaseOperator(BaseOperator, metaclass=CheckedOperator):
    """An operator whose arguments are what their constructors declare, and whose templates make what is meant."""

    verbatim_fields: ClassVar[Sequence[str]] = ()
    """Templated arguments whose text is the user's own data, to the last byte."""
    text_fields: ClassVar[Sequence[str]] = ()
    """Templated mappings in which a template makes a text whatever that looks like: ``00``, ``None``."""
    exclusive: ClassVar[Sequence[str]] = ()
    """The arguments that ``contradiction`` looks at."""
    _unresolved: str | None = None
    """What is wrong with the templates as they were written; None when nothing is."""
    _meaning: Meaning | None = None

    if TYPE_CHECKING:

        @property
        def output(self) -> PlainXComArg:
            """The task's result; of a dict one value is ``output["key"]``, as Airflow's own type does not say."""

    def _keep(self, **arguments: Any) -> None:
        """
        Make attributes of a constructor's arguments, whose types are those that they have when the operator runs.

        All at once: Airflow's ``__setattr__`` takes a microsecond for each, and would do nothing else with them yet.
        """
        vars(self).update(arguments)

    def contradiction(self) -> str | None:
        """Return what is wrong with the arguments of ``exclusive`` together; None when nothing is."""
        return None

    def check_arguments(self) -> None:
        """Raise OSSInvalidArgument for arguments that cannot work, as far as that is known before anything is sent."""
        if self._unresolved is not None:
            refuse(self._unresolved)
        check_rendered(self)

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Context, jinja_env: Any, seen_oids: set[int]
    ) -> None:
        """Render field by field, so that it is known what is meant. Airflow calls it of mapped tasks' instances too."""
        if parent is not self:
            super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
            return
        for name in template_fields:
            value = getattr(self, name, None)
            if name not in self.verbatim_fields and id(value) not in seen_oids:  # else it is what another task returned
                self._unresolved = self._unresolved or shown_object(name, value)
            self._meaning = Meaning(self, name, value) if self._renders_natively() else None
            super()._do_render_template_fields(self, (name,), context, jinja_env, seen_oids)
        self._meaning = None

    def _renders_natively(self) -> bool:
        own: bool | None = getattr(self, "render_template_as_native_obj", None)  # from Airflow 3.2 on
        has_dag: bool = self.has_dag()  # type: ignore[no-untyped-call]  # of Airflow
        return has_dag and (self.dag.render_template_as_native_obj if own is None else own)

    def render_template(
        self, content: Any, context: Context, jinja_env: Any = None, seen_oids: set[int] | None = None
    ) -> Any:
        """
        Render a template. A path of this machine is rendered as its text: Airflow 3.0 and 3.1 would look for the file.

        An ObjectStoragePath, which is a pathlib.Path too in Airflow 2.11, stays what it is. The line ends of what
        ``verbatim_fields`` have are kept: Jinja would drop the last one, and turn CRLF into LF.
        """
        given, environment = content, jinja_env or self.get_template_env()
        if any(content is getattr(self, name, None) for name in self.verbatim_fields):
            environment = _verbatim(environment)
        if isinstance(content, str) and hasattr(environment, "is_verbatim"):
            if not _is_template(content, environment):
                return content
            if _has_only_crlf(content):
                environment = environment.overlay(newline_sequence="\r\n")
        if isinstance(content, PurePosixPath | PureWindowsPath):
            content = str(content)
        elif isinstance(content, str) and type(content) is not str:  # what str() says of it may be something else
            content = str.__str__(content)
        if self._meaning is None or not isinstance(content, str) or id(content) in (seen_oids or ()):
            return super().render_template(content, context, environment, seen_oids)
        is_file = content.endswith(tuple(self.template_ext))
        template = environment.get_template(content) if is_file else environment.from_string(content)
        return self._meaning.of(given, template, context)


# What is declared


class Argument(NamedTuple):
    """What a constructor declares of one argument."""

    annotation: Annotation
    default: Any
    attribute: str
    """Where the operator keeps it."""
    may_be_text: bool


@cache
def declared_by(kind: type) -> Mapping[str, Argument]:
    """Return by name what this package's constructors declare. A user's own subclass says itself what it takes."""
    found: dict[str, Argument] = {}
    for one in reversed(kind.__mro__):
        if one.__module__.startswith(_PACKAGE) and "__init__" in vars(one):
            constructor = unwrap(vars(one)["__init__"])
            defaults = constructor.__kwdefaults__ or {}
            for name, annotation in arguments_of(constructor).items():
                default, attribute = defaults.get(name, _REQUIRED), _ATTRIBUTES.get(name, name)
                found[name] = Argument(annotation, default, attribute, takes(annotation, "str"))
    return found


def arguments_given(operator: Any) -> Iterator[tuple[str, Any, Argument]]:
    """Yield name, value and declaration of each argument that an operator has as an attribute, but its defaults."""
    found = vars(operator)
    for name, declared in declared_by(operator.__class__).items():
        _, default, attribute, _ = declared  # it is quicker than by their names
        value = found.get(attribute, default)
        if value is not default:
            yield name, value, declared


# When the DAG is parsed

_SIGNS_OF_OBJECTS: Final = ("XComArg(", "MappedArgument(", "ExpandInput(", " at 0x", "<Task(", "<Mapped(")
_OBJECT: Final = r"\b\w*(?:XComArg|MappedArgument|ExpandInput)\(|<[^<>]+ at 0x[0-9a-f]+>|<(?:Task|Mapped)\(\w+\): "
"""How Python shows what has no text of its own. That of a task's output has: it is a template."""


def check_constructed(operator: Any) -> None:
    """Raise OSSInvalidArgument for a type, a combination or an object's repr that no template of an operator mends."""
    for name, value, declared in arguments_given(operator):
        if not (declared.may_be_text and _is_plain_text(value)):
            _check_one(operator, name, value, declared.annotation)
    if text := operator.contradiction():
        given = [value for name in operator.exclusive if (value := getattr(operator, name)) is not None]
        # Where nothing is given, a subclass or pre_execute may give it later: the attempt will tell
        if given and not any(map(_may_change_of(operator), given)):
            refuse(text)


def _is_plain_text(value: Any) -> bool:
    """Whether it is text in which nothing can be wrong, and no object is shown: most of what is given is such text."""
    return type(value) is str and value.isascii() and "(" not in value and " at 0x" not in value


def _check_one(operator: Any, name: str, value: Any, annotation: Annotation) -> None:
    is_template = name in operator.template_fields
    text = complaint(name, value, annotation)
    if text and is_template:
        text = complaint(name, value, annotation, _may_change_of(operator))
    if not text and is_template and name not in operator.verbatim_fields:
        text = shown_object(name, value)
    if text:
        refuse(text)


def _may_change_of(operator: Any) -> Test:
    """Return what tells whether a value is one that Airflow replaces before the operator runs."""
    dag = operator.dag if operator.has_dag() else None
    has_usual_marks = dag is not None and not dag.jinja_environment_kwargs
    endings = tuple(operator.template_ext)

    def may_change(value: Any) -> bool:
        if isinstance(value, str):
            return not has_usual_marks or "{" in value or value.endswith(endings)
        return isinstance(value, PurePath) or hasattr(value, "iter_references") or callable(value)

    return may_change


def shown_object(name: str, value: Any) -> str | None:
    """Return what is wrong with a text that has the repr of an object in it, at any depth; None when none has."""
    for text in _texts_in(value):
        if any(sign in text for sign in _SIGNS_OF_OBJECTS) and (found := re.search(_OBJECT, text)):
            return (
                f"{name} has an object in it, shown as {text[found.start() : found.end() + 20]!r}: an f-string sees no "
                "value of a mapped argument, or of another task's result; give the argument itself, a template, or "
                "what a task before has made of it"
            )
    return None


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts_in(item)
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from _texts_in(item)


# When an attempt begins

_NATIVE: Final = "set render_template_as_native_obj=True, which leaves what it makes as it is"
_ONE: Final = "give one; .expand() makes a task for each of several"


def check_rendered(operator: Any) -> None:
    """Raise OSSInvalidArgument for what an argument cannot be, when all templates are rendered."""
    for text in complaints(operator):
        refuse(text)
    if text := operator.contradiction():
        refuse(text)


def complaints(operator: Any) -> Iterator[str]:
    """Yield what is wrong with each argument of an operator by itself."""
    for name, value, declared in arguments_given(operator):
        may_be_rendered = isinstance(value, str) and name in operator.template_fields
        if text := complaint(name, value, declared.annotation):
            yield f"{text}; of a template, {_NATIVE}" if may_be_rendered else text
        elif may_be_rendered and (text := _unread(name, value, declared.annotation)):
            yield text


def _unread(name: str, value: str, annotation: Annotation) -> str | None:
    """Return what is wrong with a text that a template has made of a list, a mapping or None; data may be such."""
    if takes(annotation, "bytes") or not takes(annotation, "str"):
        return None
    if value == "None":
        return f"{name}='None' is the text of None: what the template is about has no value"
    try:
        listed = ast.literal_eval(value) if value[:1] + value[-1:] in {"[]", "{}"} else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not listed or not all(isinstance(one, str) for one in listed):
        return None
    remedy = f"give a list of them, such as list.output, or {_NATIVE}" if takes(annotation, "Sequence") else _ONE
    return f"{name}={value!r} is the text of a {'mapping' if isinstance(listed, dict) else 'list'}: {remedy}"


# What a template is meant to make

_BRACKETS: Final = ("[", "(", "{")


class Meaning:
    """
    What is meant by the texts of one argument.

    Natively, Airflow reads what a template makes as a Python literal: ``20261121`` becomes a number, ``2026.10``
    another one than it says, ``'a'`` loses its quotes. That is meant only of lists, mappings and None, and of the
    objects that an expression gives. Where text may be given, anything else is the text that it would be otherwise.
    """

    def __init__(self, operator: Any, name: str, value: Any) -> None:
        declared = declared_by(operator.__class__).get(name)
        self._value = value
        self._whole = () if declared is None else declared.annotation
        self._inner = tuple(_within(self._whole))
        self._holds_texts = name in operator.text_fields

    def of(self, given: Any, template: Any, context: Any) -> Any:
        """Return what is meant by a text or path, itself the argument or in it: its template is rendered, once."""
        # As Airflow does it: in its version 2 the context warns of whatever is taken out of it
        variables: Any = ChainMap(context, template.globals)
        nodes = list(template.root_render_func(template.new_context(variables, shared=True)))
        is_whole = given is self._value
        if self._holds_texts and not is_whole:
            return "".join(map(str, nodes))
        annotation = self._whole if is_whole else self._inner
        value = template.environment.concat(nodes)
        if value is None or not takes(annotation, "str") or takes(annotation, "Any"):
            return value
        return _meant(annotation, value, nodes)


def _meant(annotation: Annotation, value: Any, nodes: list[Any]) -> Any:
    """Return a value, or its text where that is meant."""
    if not isinstance(value, str | Number | Mapping | list | tuple | set) and any(
        _is_meant(one.head, value) for one in annotation
    ):
        return value
    text = "".join(map(str, nodes))
    if isinstance(value, str | Number) or not isinstance(value, Mapping | list | tuple | set):
        return text
    if takes(annotation, "Mapping") or takes(annotation, "Sequence"):
        return value if text.lstrip().startswith(_BRACKETS) else text  # without them: "1,2"
    return value if text == str(value) else text  # JSON, for instance; a list itself is refused


def _is_meant(head: str, value: Any) -> bool:
    return head in KINDS and KINDS[head].holds(value)


def _within(annotation: Annotation) -> Any:
    """Yield what a collection may hold, at any depth."""
    for one in annotation:
        for inner in one.inner[-1:]:
            yield from inner
            yield from _within(inner)


def _verbatim(environment: Any) -> Any:
    """Return a Jinja environment that is marked as one whose texts keep their line ends."""
    kept = environment.overlay(keep_trailing_newline=True)
    kept.extend(is_verbatim=True)
    return kept


def _is_template(text: str, environment: Any) -> bool:
    """Return whether the text has template syntax: a DAG may have other marks than ``{{``, ``{%`` and ``{#``."""
    marks = (
        environment.variable_start_string,
        environment.block_start_string,
        environment.comment_start_string,
        environment.line_statement_prefix,
        environment.line_comment_prefix,
    )
    return any(mark in text for mark in marks if mark)


def _has_only_crlf(text: str) -> bool:
    return "\r\n" in text and not {"\r", "\n"} & {*text.replace("\r\n", "")}
