"""Where the price comes from: the table, and AWS as a server on loopback plays it."""

from types import SimpleNamespace

import pytest

from engine.machine.cloud.machine import Machine
from engine.machine.cloud.prices import SPOT_AS_OF, PriceError, aws_spot_price, table_price

NOWHERE = "http://127.0.0.1:9"


def g5(**changes):
    fields = {"instance_type": "g5.xlarge", "zone": "us-east-1b", "region": "us-east-1"}
    return Machine("aws", **(fields | {"spot": True} | changes))


@pytest.mark.parametrize("kind", ["g4dn.xlarge", "g5.xlarge", "g6.xlarge", "p3.2xlarge"])
def test_the_table_knows_spot_and_on_demand_and_its_date(kind):
    spot, spot_is_limit = table_price(g5(instance_type=kind))
    listed, is_limit = table_price(g5(instance_type=kind, spot=False))
    assert 0 < spot.usd < listed.usd
    assert spot.source == f"highest US spot price, {SPOT_AS_OF}"
    assert listed.source == "list price on demand in us-east-1, August 2026"
    assert (spot_is_limit, is_limit) == (False, False)


@pytest.mark.parametrize("spot", [True, None])
def test_an_unknown_spot_price_is_at_most_that_on_demand(spot):
    price, is_limit = table_price(Machine("gcp", "g2-standard-4", spot=spot))
    assert price.source == "at most: list price on demand in us-central1, August 2026"
    assert is_limit
    assert price.usd == table_price(Machine("gcp", "g2-standard-4", spot=False))[0].usd
    # And none is made up.
    assert table_price(g5(instance_type="m5.large", spot=spot)) == (None, False)
    assert table_price(Machine("gcp", "g5.xlarge", spot=spot)) == (None, False)


@pytest.mark.slow
def test_aws_says_the_price_of_the_zone_or_none(monkeypatch):
    """AWS as moto plays it inside this process: no request leaves."""
    pytest.importorskip("boto3", reason="asks AWS for its price")
    moto = pytest.importorskip("moto", reason="plays AWS on this machine")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with moto.mock_aws():
        price = aws_spot_price(g5(), NOWHERE)
        assert price.usd > 0
        assert price.source.startswith("AWS spot us-east-1b, ")
        with pytest.raises(PriceError, match="no price for g5"):
            aws_spot_price(g5(zone="us-east-1z"), NOWHERE)


@pytest.mark.slow
@pytest.mark.parametrize("said", ["nan", "-1", "0", "inf", "a lot", "1e9"])
def test_a_price_that_is_none_is_told(monkeypatch, said):
    session = pytest.importorskip("boto3.session", reason="asks AWS for its price")
    row = {"AvailabilityZone": "us-east-1b", "Timestamp": 0, "SpotPrice": said}
    client = SimpleNamespace(describe_spot_price_history=lambda **_: {"SpotPriceHistory": [row]})
    monkeypatch.setattr(session.Session, "client", lambda *_, **__: client)
    with pytest.raises(PriceError, match="AWS names a price of"):
        aws_spot_price(g5(), NOWHERE)


@pytest.mark.slow
def test_without_credentials_only_the_metadata_service_is_asked(fake, monkeypatch, tmp_path):
    pytest.importorskip("boto3", reason="asks AWS for its price")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    with pytest.raises(PriceError, match="credentials"):
        aws_spot_price(g5(), fake.url)
    assert any("iam/security-credentials" in path for _, path in fake.asked)
