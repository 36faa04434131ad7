"""Bodies about entities, the options of their fields, and members."""

from typing import Annotated, Any, Literal, get_args

from pydantic import AwareDatetime, Field

from keepstep_sandbox.productboard.wire import Closed, EmailText, Open, Text255, UriText, UuidText

EntityType = Literal[
    "product",
    "component",
    "feature",
    "subfeature",
    "initiative",
    "objective",
    "keyResult",
    "release",
    "releaseGroup",
    "company",
    "user",
]
RelationType = Literal["parent", "child", "link", "isBlockedBy", "isBlocking"]
ENTITY_TYPES: tuple[str, ...] = get_args(EntityType)
RELATION_TYPES: tuple[str, ...] = get_args(RelationType)

# Entities


class Source(Open):
    system: str = ""
    recordId: str = ""  # noqa: N815
    url: Annotated[UriText, Field(max_length=1024)] = ""


class EntityMetadata(Open):
    source: Source = Source()


class TargetRef(Open):
    id: UuidText


class RelationshipCreate(Open):
    type: RelationType = "link"
    target: TargetRef


class EntityCreateData(Open):
    type: EntityType
    fields: dict[str, Any] = Field(default_factory=dict)
    relationships: list[RelationshipCreate] = Field(default_factory=list)
    metadata: EntityMetadata = EntityMetadata()


class EntityCreate(Open):
    data: EntityCreateData


class PatchOperation(Closed):
    op: Literal["set", "addItems", "removeItems"]
    path: str
    value: Any


class PatchClear(Closed):
    op: Literal["clear"]
    path: str


class EntityPatchData(Open):
    fields: dict[str, Any] = Field(default_factory=dict)
    patch: list[Annotated[PatchOperation | PatchClear, Field(discriminator="op")]] = Field(
        default_factory=list
    )
    metadata: EntityMetadata = EntityMetadata()


class EntityPatch(Open):
    data: EntityPatchData


class RelationshipBody(Open):
    data: RelationshipCreate


class _ParentData(Open):
    type: EntityType = "feature"
    target: TargetRef


class ParentBody(Open):
    data: _ParentData


class DateRange(Open):
    # `from` is a word of the language; the vendor's name is the alias.
    from_: AwareDatetime | None = Field(default=None, alias="from")
    to: AwareDatetime | None = None


class SearchRelationships(Open):
    parent: list[TargetRef] = Field(default_factory=list)
    customer: list[TargetRef] = Field(default_factory=list)


class SearchMetadata(Open):
    source: Source = Source()


class SearchFilter(Open):
    type: list[EntityType] = Field(default_factory=list)
    id: list[UuidText] = Field(default_factory=list)
    createdAt: DateRange = DateRange()  # noqa: N815
    updatedAt: DateRange = DateRange()  # noqa: N815
    fields: dict[str, Any] = Field(default_factory=dict)
    relationships: SearchRelationships = SearchRelationships()
    metadata: SearchMetadata = SearchMetadata()


class SearchReturn(Open):
    fields: Literal["all", "default"] | list[str] = "default"


class SearchData(Closed):
    filter: SearchFilter = SearchFilter()
    return_: SearchReturn = Field(default=SearchReturn(), alias="return")


class EntitySearch(Open):
    data: SearchData


# Options of fields

OptionColor = Literal["red", "blue", "green", "yellow", "purple", "gray", "lime", "pink"]


class OptionFields(Open):
    name: str
    color: OptionColor = "gray"


class _OptionData(Open):
    fields: OptionFields


class OptionCreate(Open):
    data: _OptionData


class OptionPatchFields(Open):
    """What was given is in `model_fields_set`."""

    name: str = ""
    color: OptionColor = "gray"


class _OptionPatchData(Open):
    fields: OptionPatchFields = OptionPatchFields()


class OptionPatch(Open):
    data: _OptionPatchData


# Members

Role = Literal["admin", "maker", "viewer", "contributor"]


class MemberFieldsFilter(Closed):
    email: EmailText | Annotated[list[EmailText], Field(max_length=100)] = Field(default_factory=list)
    role: Role | list[Role] = Field(default_factory=list)
    disabled: bool = False
    invitationPending: bool = False  # noqa: N815


class MemberFilter(Closed):
    id: UuidText | Annotated[list[UuidText], Field(max_length=100)] = Field(default_factory=list)
    fields: MemberFieldsFilter = MemberFieldsFilter()


class MemberQuery(Open):
    query: Text255 | None = None


class MemberReturn(Open):
    includeDisabled: bool = False  # noqa: N815
    includeInvitationPending: bool = False  # noqa: N815


class MemberSearchData(Closed):
    filter: MemberFilter = MemberFilter()
    search: MemberQuery = MemberQuery()
    return_: MemberReturn = Field(default=MemberReturn(), alias="return")


class MemberSearch(Open):
    data: MemberSearchData
