"""Text that PostgreSQL cannot keep is refused as bad input, and the connection goes on."""

import pytest

from keepstep.adapters.postgres.pool import new_pool
from keepstep.domain.errors import InvalidInputError


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "ab\udfffc"])
async def test_a_text_that_cannot_be_stored_is_refused(postgres_dsn, text):
    async with new_pool(postgres_dsn, "texts", max_size=1) as pool, pool.connection() as connection:
        for value in (text, [text]):
            with pytest.raises(InvalidInputError, match="cannot be stored"):
                await connection.execute("SELECT %s", (value,))
        row = await (await connection.execute("SELECT %s::text, %s::text[]", ("ä😀", ["ä", "b"]))).fetchone()
    assert row == ("ä😀", ["ä", "b"])
