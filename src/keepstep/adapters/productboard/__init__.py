"""Productboard's REST API v2 behind the ports of `keepstep.ports.productboard`.

`client` knows its errors and its pages, `wire` its shapes, `features` and `columns` carry out what the ports promise,
and `webhooks` reads its calls to us. Facts and how sure they are: the vendor's OpenAPI files of May 2026 and its guide;
where these contradict each other or the live service, either reading is taken.
"""

from keepstep.adapters.http import HttpClient
from keepstep.adapters.productboard.client import SERVICE, BoardClient
from keepstep.adapters.productboard.columns import ProductboardColumns, ProductboardSubscriptions
from keepstep.adapters.productboard.features import ProductboardFeatures, ProductboardWorkspace
from keepstep.adapters.productboard.webhooks import ProductboardWire
from keepstep.ports.productboard import FeatureBoard

__all__ = ["SERVICE", "ProductboardWire", "open_board"]


def open_board(http: HttpClient) -> FeatureBoard:
    client = BoardClient(http)
    return FeatureBoard(
        workspace=ProductboardWorkspace(client),
        features=ProductboardFeatures(client),
        columns=ProductboardColumns(client),
        subscriptions=ProductboardSubscriptions(client),
    )
