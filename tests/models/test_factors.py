"""Factors are found by their external id without reading other rows."""

from __future__ import annotations

from sqlalchemy import text

from tests.conftest import Site, one_database


@one_database
def test_a_factor_is_found_by_its_external_id_with_an_index(site: Site) -> None:
    query = "SELECT id FROM factors WHERE external_id = 'one' AND method = 'security-key' AND turned_off_at IS NULL"
    with site.services.db.read() as tx:
        plan = " ".join(str(row) for row in tx.execute(text(f"EXPLAIN QUERY PLAN {query}")))
    assert "SEARCH factors USING INDEX" in plan
