"""The numbers of the derived grammars against those that two independent codecs agree on."""

from __future__ import annotations

import pytest

from plugpass.exi.grammar import Grammar, Kind, State
from plugpass.exi.roots import MODULES, Roots, load
from plugpass.iso15118.messages import ac20, acdp20, cm20, common20, dc20, din, iso2, wpt20, xmldsig

DATA_TYPES = "urn:iso:15118:2:2013:MsgDataTypes"


def codes(roots: Roots) -> dict[str, int]:
    return {production.name: code for code, production in enumerate(roots.productions)}


def numbered(start: int, *messages: str) -> dict[str, int]:
    """Codes of request and response of each message, counted from `start`."""
    pairs = [message + suffix for message in messages for suffix in ("Req", "Res")]
    return {name: code for code, name in enumerate(pairs, start)}


DOCUMENTS_CM20 = {
    **numbered(0, "Authorization", "AuthorizationSetup"),
    **numbered(7, "CertificateInstallation"),
    **numbered(16, "MeteringConfirmation"),
    **numbered(21, "PowerDelivery"),
    **numbered(27, "ScheduleExchange", "ServiceDetail", "ServiceDiscovery", "ServiceSelection", "SessionSetup"),
    **numbered(37, "SessionStop"),
    **numbered(49, "VehicleCheckIn", "VehicleCheckOut"),
    "SignedInfo": 44,
}


@pytest.mark.parametrize(
    ("schema", "count", "width", "some"),
    [
        ("sap", 2, 2, {"supportedAppProtocolReq": 0, "supportedAppProtocolRes": 1}),
        ("iso2", 80, 7, {"V2G_Message": 76}),
        ("din", 81, 7, {"V2G_Message": 77}),
        ("cm20", 54, 6, DOCUMENTS_CM20),
        ("ac20", 42, 6, numbered(2, "AC_ChargeLoop", "AC_ChargeParameterDiscovery")),
        ("dc20", 48, 6, numbered(11, "DC_CableCheck", "DC_ChargeLoop", "DC_ChargeParameterDiscovery", "DC_PreCharge",
            "DC_WeldingDetection")),
        ("wpt20", 38, 6, numbered(25, "WPT_AlignmentCheck", "WPT_ChargeLoop", "WPT_ChargeParameterDiscovery",
            "WPT_FinePositioning", "WPT_FinePositioningSetup", "WPT_Pairing")),
        ("acdp20", 34, 6, numbered(0, "ACDP_Connect", "ACDP_Disconnect", "ACDP_SystemStatus",
            "ACDP_VehiclePositioning")),
        ("xmldsig", 24, 5, {}),
    ],
)  # fmt: skip
def test_document_codes(schema: str, count: int, width: int, some: dict[str, int]) -> None:
    roots = load(schema).documents
    assert (len(roots.productions), roots.width, roots.end) == (count, width, None)
    assert some.items() <= codes(roots).items()


FRAGMENTS_ISO2 = {
    "AuthorizationReq": 4,
    "CertificateInstallationReq": 15,
    "CertificateUpdateReq": 17,
    "ContractSignatureCertChain": 33,
    "ContractSignatureEncryptedPrivateKey": 34,
    "DHpublickey": 45,
    "MeteringReceiptReq": 121,
    "SalesTariff": 174,
    "SignedInfo": 208,
    "eMAID": 236,
}


FRAGMENTS_CM20 = {
    "AbsolutePriceSchedule": 0,
    "CertificateInstallationReq": 27,
    "MeteringConfirmationReq": 119,
    "OEMProvisioningCertificateChain": 128,
    "PnC_AReqAuthorizationMode": 151,
    "PriceLevelSchedule": 167,
    "SignedInfo": 230,
    "SignedInstallationData": 231,
    "SignedMeteringData": 232,
}


@pytest.mark.parametrize(
    ("schema", "count", "width", "some"),
    [
        ("sap", 9, 4, {}),
        ("iso2", 243, 8, FRAGMENTS_ISO2),
        ("din", 245, 8, {"SignedInfo": 212}),
        ("cm20", 281, 9, FRAGMENTS_CM20),
        ("ac20", 154, 8, {"AC_ChargeParameterDiscoveryRes": 5, "SignedInfo": 135}),
        ("dc20", 149, 8, {"DC_ChargeParameterDiscoveryRes": 26, "SignedInfo": 129}),
        ("wpt20", 193, 8, {"SignedInfo": 146}),
        ("acdp20", 129, 8, {"SignedInfo": 110}),
        ("xmldsig", 45, 6, {"SignedInfo": 32}),
    ],
)
def test_fragment_codes(schema: str, count: int, width: int, some: dict[str, int]) -> None:
    roots = load(schema).fragments
    assert (len(roots.productions), roots.width, roots.end) == (count, width, count + 1)
    assert some.items() <= codes(roots).items()


def grammar(cls: type, schema: str = "iso2") -> Grammar:
    return load(schema).grammars.grammar(cls)


def labels(state: State | None) -> list[str]:
    assert state is not None
    return [production.label for production in state.productions]


def after(state: State, *names: str) -> State:
    """The state reached through the productions of these names."""
    for name in names:
        following = next(p.next for p in state.productions if p.name == name)
        assert following is not None
        state = following
    return state


@pytest.mark.parametrize("cls", [din.Body, iso2.Body], ids=["din", "iso2"])
def test_body_has_35_elements_and_the_end(cls: type) -> None:
    start = grammar(cls, "din" if cls is din.Body else "iso2").start
    assert start.width == 6
    assert len(start.productions) == 36
    (abstract,) = (production for production in start.productions if production.kind is Kind.REFUSED)
    assert abstract.label == "BodyElement"
    assert labels(start)[:-1] == sorted(labels(start)[:-1])
    assert labels(start)[34:] == ["WeldingDetectionRes", "end"]


def test_codes_of_some_bodies() -> None:
    start = grammar(iso2.Body).start
    assert labels(start)[2] == "BodyElement"
    expected = {"AuthorizationReq": 0, "CableCheckReq": 3, "CurrentDemandRes": 14, "SessionSetupReq": 29}
    assert {name: labels(start).index(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("cls", "path", "expected"),
    [
        (iso2.ChargeParameterDiscoveryReq, ["RequestedEnergyTransferMode"],
         ["AC_EVChargeParameter", "DC_EVChargeParameter", "EVChargeParameter"]),
        (iso2.PowerDeliveryRes, ["ResponseCode"], ["AC_EVSEStatus", "DC_EVSEStatus", "EVSEStatus"]),
        (iso2.PMaxScheduleEntry, [], ["RelativeTimeInterval", "TimeInterval"]),
        (iso2.ChargeParameterDiscoveryRes, ["ResponseCode", "EVSEProcessing"],
         ["SAScheduleList", "SASchedules", "AC_EVSEChargeParameter", "DC_EVSEChargeParameter", "EVSEChargeParameter"]),
        (iso2.Parameter, ["Name"],
         ["boolValue", "byteValue", "shortValue", "intValue", "physicalValue", "stringValue"]),
        (iso2.MessageHeader, ["SessionID"], ["Notification", "Signature", "end"]),
        (iso2.SessionSetupReq, [], ["EVCCID"]),
        (iso2.ChargingStatusReq, [], ["end"]),
    ],
)  # fmt: skip
def test_states(cls: type, path: list[str], expected: list[str]) -> None:
    state = after(grammar(cls).start, *path)
    assert labels(state) == expected
    assert state.width == len(expected).bit_length()


DIN_SCHEDULES = ["SAScheduleList", "SASchedules"]
CONTROL_MODES = ["BPT_Dynamic_{}", "BPT_Scheduled_{}", "{}", "Dynamic_{}", "Scheduled_{}"]


def control_modes(transfer: str, direction: str) -> list[str]:
    """The substitution group of the charge loop's control mode: the abstract head stands third."""
    head = f"CL{direction}ControlMode"
    return [name.format(head if name == "{}" else f"{transfer}_{head}") for name in CONTROL_MODES]


@pytest.mark.parametrize(
    ("schema", "cls", "path", "expected"),
    [
        ("din", din.ChargeParameterDiscoveryReq, ["EVRequestedEnergyTransferType"],
            ["AC_EVChargeParameter", "DC_EVChargeParameter", "EVChargeParameter"]),
        ("din", din.ChargeParameterDiscoveryRes, ["ResponseCode", "EVSEProcessing"], DIN_SCHEDULES),
        ("din", din.ChargeParameterDiscoveryRes, ["ResponseCode", "EVSEProcessing", "SAScheduleList"],
            ["AC_EVSEChargeParameter", "DC_EVSEChargeParameter", "EVSEChargeParameter"]),
        ("din", din.PowerDeliveryRes, ["ResponseCode"], ["AC_EVSEStatus", "DC_EVSEStatus", "EVSEStatus"]),
        ("din", din.PowerDeliveryReq, ["ReadyToChargeState", "ChargingProfile"],
            ["DC_EVPowerDeliveryParameter", "EVPowerDeliveryParameter", "end"]),
        ("din", din.PMaxScheduleEntry, [], ["RelativeTimeInterval", "TimeInterval"]),
        ("din", din.Parameter, [], ["@Name"]),
        ("din", din.Parameter, ["Name"], ["@ValueType"]),
        ("din", din.ConsumptionCost, ["startValue"], ["Cost", "end"]),
        ("ac20", ac20.AC_ChargeLoopReq, ["Header", "MeterInfoRequested"], control_modes("AC", "Req")),
        ("ac20", ac20.AC_ChargeLoopRes, ["Header", "ResponseCode", "EVSEStatus", "MeterInfo", "Receipt"],
            ["EVSETargetFrequency", *control_modes("AC", "Res")]),
        ("ac20", ac20.AC_ChargeParameterDiscoveryReq, ["Header"],
            ["AC_CPDReqEnergyTransferMode", "BPT_AC_CPDReqEnergyTransferMode"]),
        ("ac20", ac20.AC_ChargeParameterDiscoveryRes, ["Header", "ResponseCode"],
            ["AC_CPDResEnergyTransferMode", "BPT_AC_CPDResEnergyTransferMode"]),
        ("dc20", dc20.DC_ChargeLoopReq, ["Header", "MeterInfoRequested", "EVPresentVoltage"],
            control_modes("DC", "Req")),
        ("dc20", dc20.DC_ChargeParameterDiscoveryReq, ["Header"],
            ["BPT_DC_CPDReqEnergyTransferMode", "DC_CPDReqEnergyTransferMode"]),
        ("dc20", dc20.DC_ChargeParameterDiscoveryRes, ["Header", "ResponseCode"],
            ["BPT_DC_CPDResEnergyTransferMode", "DC_CPDResEnergyTransferMode"]),
        ("cm20", cm20.AuthorizationSetupRes, ["Header", "ResponseCode", "AuthorizationServices"],
            ["AuthorizationServices", "CertificateInstallationService"]),
        ("cm20", cm20.AuthorizationReq, ["Header", "SelectedAuthorizationService"],
            ["EIM_AReqAuthorizationMode", "PnC_AReqAuthorizationMode"]),
        ("cm20", cm20.ChargingSchedule, ["PowerSchedule"], ["AbsolutePriceSchedule", "PriceLevelSchedule", "end"]),
        ("cm20", cm20.EVPowerProfile, ["TimeAnchor"], ["Dynamic_EVPPTControlMode", "Scheduled_EVPPTControlMode"]),
        ("cm20", cm20.PriceLevelSchedule, [], ["@Id", "TimeAnchor"]),
        ("cm20", cm20.EIM_AReqAuthorizationMode, [], ["end"]),
        ("cm20", common20.Receipt, ["TimeAnchor", "OverstayCosts"], ["TaxCosts", "end"]),
        ("acdp20", acdp20.ACDP_DisconnectReq, ["Header"], ["EVElectricalChargingDeviceStatus"]),
    ],
)  # fmt: skip
def test_states_of_the_other_schemas(schema: str, cls: type, path: list[str], expected: list[str]) -> None:
    state = after(grammar(cls, schema).start, *path)
    assert labels(state) == expected
    assert state.width == len(expected).bit_length()


@pytest.mark.parametrize("cls", [wpt20.WPT_LF_ReceiverData, wpt20.WPT_TxRxPackageSpecData])
def test_forced_items_leave_no_choice(cls: type) -> None:
    """minOccurs is 2: one bit for each of the first two items, then the item or what follows."""
    start = grammar(cls, "wpt20").start
    if cls is wpt20.WPT_LF_ReceiverData:
        start = after(start, "NumberOfReceivers")
    (first,) = start.productions
    assert first.next is not None
    (second,) = first.next.productions
    assert (start.width, first.next.width) == (1, 1)
    assert second.next is not None
    assert (second.next.width, len(second.next.productions)) == (2, 2)
    assert second.next.productions[0].next is second.next


LIMITS = {
    "din": {din.PMaxSchedule: 4097, din.SubCertificates: 4097, din.SAScheduleList: 4097},
    "cm20": {
        cm20.SupportedProvidersList: 128, cm20.ServiceIDList: 16, cm20.ServiceList: 8, cm20.SelectedServiceList: 16,
        cm20.ParameterSet: 32, cm20.ServiceParameterList: 32, cm20.Scheduled_SEResControlMode: 3,
        cm20.PowerScheduleEntryList: 1024, cm20.PriceLevelScheduleEntryList: 1024, cm20.TaxRuleList: 10,
        cm20.PriceRuleStackList: 1024, cm20.PriceRuleStack: 8, cm20.OverstayRuleList: 5, cm20.AdditionalServiceList: 5,
        cm20.EVPowerProfileEntryList: 2048, cm20.EVPowerScheduleEntryList: 1024, cm20.EVPriceRuleStackList: 1024,
        cm20.EVPriceRuleStack: 8, cm20.EMAIDList: 8, cm20.SubCertificates: 3, cm20.AuthorizationSetupRes: 2,
        common20.Receipt: 10, common20.ListOfRootCertificateIDs: 20,
    },
    "wpt20": {
        wpt20.WPT_PairingReq: 16, wpt20.WPT_ChargeParameterDiscoveryRes: 16, wpt20.WPT_FinePositioningMethodList: 8,
        wpt20.WPT_LF_TransmitterData: 255, wpt20.WPT_TxRxPackageSpecData: 255, wpt20.AlternativeSECCList: 8,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "cls", "limit"),
    [(schema, cls, limit) for schema, limits in LIMITS.items() for cls, limit in limits.items()],
)
def test_bounded_repetitions(schema: str, cls: type, limit: int) -> None:
    (repeated,) = (production for production in grammar(cls, schema).by_name.values() if production.many)
    assert repeated.limit == limit
    assert (repeated.at_limit is None) is (schema == "din")  # unbounded there, so the limit is ours


@pytest.mark.parametrize(
    ("cls", "path", "width", "expected"),
    [
        (xmldsig.CanonicalizationMethod, [], 1, ["@Algorithm"]),
        (xmldsig.CanonicalizationMethod, ["Algorithm"], 2, ["*", "end", "*"]),
        (xmldsig.SignatureMethod, ["Algorithm"], 3, ["HMACOutputLength", "*", "end", "*"]),
        (xmldsig.Transform, ["Algorithm"], 3, ["XPath", "*", "end", "*"]),
        (xmldsig.Reference, [], 3, ["@Id", "@Type", "@URI", "Transforms", "DigestMethod"]),
        (xmldsig.Reference, ["URI"], 2, ["Transforms", "DigestMethod"]),
        (xmldsig.Transforms, ["Transform"], 2, ["Transform", "end"]),
        (xmldsig.SignedInfo, ["CanonicalizationMethod", "SignatureMethod", "Reference"], 2, ["Reference", "end"]),
        (xmldsig.Signature, ["SignedInfo", "SignatureValue"], 2, ["KeyInfo", "Object", "end"]),
        (xmldsig.SignatureValue, [], 2, ["@Id", "text"]),
    ],
)
def test_signature_states(cls: type, path: list[str], width: int, expected: list[str]) -> None:
    state = after(grammar(cls, "xmldsig").start, *path)
    assert (state.width, labels(state)) == (width, expected)


@pytest.mark.parametrize(
    ("cls", "path", "limit", "within", "at_limit"),
    [
        (iso2.PaymentOptionList, [], 2, ["PaymentOption", "end"], ["end"]),
        (iso2.ConsumptionCost, ["startValue"], 3, ["Cost", "end"], ["end"]),
        (iso2.SalesTariffEntry, ["RelativeTimeInterval"], 3, ["ConsumptionCost", "end"], ["end"]),
    ],
)
def test_a_full_list_narrows_the_state(
    cls: type, path: list[str], limit: int, within: list[str], at_limit: list[str]
) -> None:
    production = next(p for p in after(grammar(cls).start, *path).productions if p.many)
    assert production.limit == limit
    assert labels(production.next) == within
    assert labels(production.at_limit) == at_limit


def test_a_long_list_does_not_make_a_state_for_each_item() -> None:
    entry = grammar(iso2.PMaxSchedule).start.productions[0]
    assert entry.limit == 1024
    assert entry.next is not None
    assert entry.next.productions[0].next is entry.next


def test_emaid_fragment_has_the_relaxed_grammar() -> None:
    loaded = load("iso2")
    relaxed = loaded.fragments.productions[236].grammar
    assert relaxed is not None
    start = relaxed.start
    assert (start.width, len(start.productions)) == (9, 257)
    assert (start.productions[4].name, start.productions[4].uri) == ("Id", DATA_TYPES)
    assert start.productions[256].kind is Kind.TEXT
    then = start.productions[256].next
    assert then is not None
    assert (then.width, then.productions[244].kind) == (8, Kind.END)
    others = [p for p in loaded.fragments.productions if p.grammar and p.grammar is not grammar(p.grammar.cls)]
    assert [production.name for production in others] == ["eMAID"]


@pytest.mark.parametrize("schema", sorted(MODULES.keys() - {"iso2"}))
def test_no_other_element_has_two_types(schema: str) -> None:
    loaded = load(schema)
    assert all(p.grammar is loaded.grammars.grammar(p.grammar.cls) for p in loaded.fragments.productions if p.grammar)
