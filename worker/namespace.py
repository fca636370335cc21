"""What a Temporal namespace has to know of us: our search attributes, made where they are missing."""

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client

from docustack import visibility

SEARCH_ATTRIBUTES = {
    visibility.REPOSITORY: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    visibility.ENVIRONMENT: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    visibility.UNITS: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    visibility.PULL_REQUEST: IndexedValueType.INDEXED_VALUE_TYPE_INT,
    visibility.BASE_BRANCH: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    visibility.ACTOR: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    visibility.STATUS: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
}


async def register_search_attributes(client: Client) -> None:
    """Make the namespace know our search attributes; several workers may do so at once."""
    missing = await missing_search_attributes(client)
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=client.namespace, search_attributes={name: SEARCH_ATTRIBUTES[name] for name in missing}
            )
        )


async def missing_search_attributes(client: Client) -> list[str]:
    """Those that the namespace doesn't know yet."""
    present = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return [name for name in SEARCH_ATTRIBUTES if name not in present.custom_attributes]
