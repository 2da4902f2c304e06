"""Wireless power transfer of ISO 15118-20 (namespace WPT): LF is low frequency, EVPC and SPC are the power circuits.

Powers are in W, currents in A, voltages in V, frequencies in Hz.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from plugpass.exi.datatypes import Base64Binary, Bool, Short, String, UnsignedByte, UnsignedShort
from plugpass.exi.schema import Choice, Element, Namespace, Schema, Sequence, complex_type, global_element
from plugpass.iso15118.messages.common20 import (
    COMMON_TYPES,
    ChargeLoopReq,
    ChargeLoopRes,
    ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes,
    IdentifierType,
    NumericIDType,
    Processing,
    RationalNumber,
    V2GRequest,
    V2GResponse,
)
from plugpass.iso15118.messages.xmldsig import XMLDSIG

WPT = Namespace(uri="urn:iso:std:iso:15118:-20:WPT", attributes_qualified=True)

# --- simple types ---------------------------------------------------------------------------------------------------


WPT_DataContainerType = Annotated[bytes, Base64Binary(max_length=256)]
BSSIDType = Annotated[str, String(max_length=12)]
IPAddressType = Annotated[str, String(max_length=39)]


class WPT_FinePositioningMethod(StrEnum):
    """How the vehicle finds its place."""

    MANUAL = "Manual"
    LF_TX_EV = "LF_TxEV"
    LF_TX_PRIMARY_DEVICE = "LF_TxPrimaryDevice"
    LPE = "LPE"
    PROPRIETARY = "Proprietary"


class WPT_PairingMethod(StrEnum):
    """How the vehicle finds out which supply device it is at."""

    EXTERNAL_CONFIRMATION = "External confirmation"
    LPE = "LPE"
    LF_TX_EV = "LF_TxEV"
    LF_TX_PRIMARY_DEVICE = "LF_TxPrimaryDevice"
    OPTICAL = "Optical"
    PROPRIETARY = "Proprietary"


class WPT_AlignmentCheckMethod(StrEnum):
    """How the alignment of the coils is checked."""

    POWER_CHECK = "PowerCheck"
    LPE = "LPE"
    PROPRIETARY = "Proprietary"


class WPT_EVPCChargeDiagnostics(StrEnum):
    """Diagnosis of the vehicle's power circuit."""

    EVPC_NO_ISSUE = "EVPCNoIssue"
    EVPC_TEMP_OVERHEAT_DETECTED = "EVPCTempOverheatDetected"
    EVPC_POWER_TRANSFER_ANOMALY_DETECTED = "EVPCPowerTransferAnomalyDetected"
    EVPC_ANOMALY_DETECTED = "EVPCAnomalyDetected"


class WPT_SPCChargeDiagnostics(StrEnum):
    """Diagnosis of the supply power circuit."""

    SPC_NO_ISSUE = "SPCNoIssue"
    SPC_FOD_DETECTED = "SPCFODDetected"
    SPC_LOP_DETECTED = "SPCLOPDetected"
    SPC_TEMP_OVERHEAT_DETECTED = "SPCTempOverheatDetected"
    SPC_POWER_TRANSFER_ANOMALY_DETECTED = "SPCPowerTransferAnomalyDetected"
    SPC_ANOMALY_DETECTED = "SPCAnomalyDetected"


class WPT_PowerClass(StrEnum):
    """Input power class of the supply device (IEC 61980-1)."""

    MF_WPT1 = "MF-WPT1"
    MF_WPT2 = "MF-WPT2"
    MF_WPT3 = "MF-WPT3"
    MF_WPT4 = "MF-WPT4"


class WPT_EVResult(StrEnum):
    """The EV's verdict on a step."""

    EV_RESULT_UNKNOWN = "EVResultUnknown"
    EV_RESULT_SUCCESS = "EVResultSuccess"
    EV_RESULT_FAILED = "EVResultFailed"


# --- low-frequency positioning --------------------------------------------------------------------------------------


@complex_type(WPT)
class WPT_CoordinateXYZ:
    """A position or an orientation."""

    coord_x: Annotated[Short, Element("Coord_X")]
    coord_y: Annotated[Short, Element("Coord_Y")]
    coord_z: Annotated[Short, Element("Coord_Z")]


@complex_type(WPT)
class WPT_TxRxSpecData:
    """One antenna."""

    txrx_identifier: Annotated[NumericIDType, Element("TxRxIdentifier")]
    txrx_position: Annotated[WPT_CoordinateXYZ, Element("TxRxPosition")]
    txrx_orientation: Annotated[WPT_CoordinateXYZ, Element("TxRxOrientation")]


@complex_type(WPT)
class WPT_TxRxPulseOrder:
    """Which antenna sends at this place in the sequence."""

    index_number: Annotated[UnsignedShort, Element("IndexNumber")]
    txrx_identifier: Annotated[NumericIDType, Element("TxRxIdentifier")]


@complex_type(WPT)
class WPT_TxRxPackageSpecData:
    """How pulses make a package, 2 to 255 of them."""

    pulse_sequence_order: Annotated[
        tuple[WPT_TxRxPulseOrder, ...], Element("PulseSequenceOrder", min_occurs=2, max_occurs=255)
    ]
    pulse_separation_time: Annotated[UnsignedShort, Element("PulseSeparationTime")]
    pulse_duration: Annotated[UnsignedShort, Element("PulseDuration")]
    package_separation_time: Annotated[UnsignedShort, Element("PackageSeparationTime")]


@complex_type(WPT)
class WPT_LF_TransmitterData:
    """2 to 255 transmitting antennas."""

    number_of_transmitters: Annotated[UnsignedByte, Element("NumberOfTransmitters")]
    signal_frequency: Annotated[RationalNumber, Element("SignalFrequency")]
    tx_spec_data: Annotated[tuple[WPT_TxRxSpecData, ...], Element("TxSpecData", min_occurs=2, max_occurs=255)]
    tx_package_spec_data: Annotated[WPT_TxRxPackageSpecData | None, Element("TxPackageSpecData")] = None


@complex_type(WPT)
class WPT_LF_ReceiverData:
    """2 to 255 receiving antennas."""

    number_of_receivers: Annotated[UnsignedByte, Element("NumberOfReceivers")]
    rx_spec_data: Annotated[tuple[WPT_TxRxSpecData, ...], Element("RxSpecData", min_occurs=2, max_occurs=255)]


@complex_type(WPT, content=Choice("lf_transmitter_setup_data", "lf_receiver_setup_data"))
class WPT_LF_SystemSetupData:
    """Either transmitters or receivers."""

    lf_transmitter_setup_data: Annotated[WPT_LF_TransmitterData | None, Element("LF_TransmitterSetupData")] = None
    lf_receiver_setup_data: Annotated[WPT_LF_ReceiverData | None, Element("LF_ReceiverSetupData")] = None


@complex_type(WPT)
class WPT_LF_TxData:
    """The radiated power of a transmitter."""

    tx_identifier: Annotated[NumericIDType, Element("TxIdentifier")]
    eirp: Annotated[RationalNumber, Element("EIRP")]


@complex_type(WPT)
class WPT_LF_TxDataList:
    """What was sent."""

    wpt_lf_tx_data_list: Annotated[WPT_LF_TxData, Element("WPT_LF_TxDataList")]


@complex_type(WPT)
class WPT_LF_RxRSSI:
    """Strength of one transmitter's signal."""

    tx_identifier: Annotated[NumericIDType, Element("TxIdentifier")]
    rssi: Annotated[RationalNumber, Element("RSSI")]


@complex_type(WPT)
class WPT_LF_RxRSSIList:
    """Signal strengths at a receiver."""

    rssi_data_list: Annotated[WPT_LF_RxRSSI, Element("RSSIDataList")]


@complex_type(WPT)
class WPT_LF_RxData:
    """What a receiver received."""

    rx_identifier: Annotated[NumericIDType, Element("RxIdentifier")]
    rssi_data: Annotated[WPT_LF_RxRSSIList, Element("RSSIData")]


@complex_type(WPT)
class WPT_LF_RxDataList:
    """What was received."""

    wpt_lf_rx_data_list: Annotated[WPT_LF_RxData, Element("WPT_LF_RxDataList")]


@complex_type(WPT, content=Sequence("package_index", Choice("lf_tx_data", "lf_rx_data")))
class WPT_LF_DataPackage:
    """One package, either sent or received."""

    package_index: Annotated[UnsignedByte, Element("PackageIndex")]
    lf_tx_data: Annotated[WPT_LF_TxDataList | None, Element("LF_TxData")] = None
    lf_rx_data: Annotated[WPT_LF_RxDataList | None, Element("LF_RxData")] = None


@complex_type(WPT)
class WPT_LF_DataPackageList:
    """The packages of a positioning step; the schema allows one."""

    num_packages: Annotated[UnsignedByte, Element("NumPackages")]
    wpt_lf_data_package: Annotated[WPT_LF_DataPackage, Element("WPT_LF_DataPackage")]


# --- fine positioning -----------------------------------------------------------------------------------------------


@complex_type(WPT)
class WPT_FinePositioningMethodList:
    """1 to 8 methods."""

    wpt_fine_positioning_method: Annotated[
        tuple[WPT_FinePositioningMethod, ...], Element("WPT_FinePositioningMethod", max_occurs=8)
    ]


@complex_type(WPT)
class WPT_PairingMethodList:
    """1 to 8 methods."""

    wpt_pairing_method: Annotated[tuple[WPT_PairingMethod, ...], Element("WPT_PairingMethod", max_occurs=8)]


@complex_type(WPT)
class WPT_AlignmentCheckMethodList:
    """1 to 8 methods."""

    wpt_alignment_check_method: Annotated[
        tuple[WPT_AlignmentCheckMethod, ...], Element("WPT_AlignmentCheckMethod", max_occurs=8)
    ]


@global_element(WPT)
class WPT_FinePositioningSetupReq(V2GRequest):
    """The methods the vehicle's device supports."""

    ev_processing: Annotated[Processing, Element("EVProcessing")]
    ev_device_fine_positioning_method_list: Annotated[
        WPT_FinePositioningMethodList, Element("EVDeviceFinePositioningMethodList")
    ]
    ev_device_pairing_method_list: Annotated[WPT_PairingMethodList, Element("EVDevicePairingMethodList")]
    ev_device_alignment_check_method_list: Annotated[
        WPT_AlignmentCheckMethodList, Element("EVDeviceAlignmentCheckMethodList")
    ]
    natural_offset: Annotated[UnsignedShort, Element("NaturalOffset")]
    vendor_specific_data_container: Annotated[
        tuple[WPT_DataContainerType, ...], Element("VendorSpecificDataContainer", max_occurs=16)
    ] = ()
    lf_system_setup_data: Annotated[WPT_LF_SystemSetupData | None, Element("LF_SystemSetupData")] = None


@global_element(WPT)
class WPT_FinePositioningSetupRes(V2GResponse):
    """The methods the primary device supports."""

    primary_device_fine_positioning_method_list: Annotated[
        WPT_FinePositioningMethodList, Element("PrimaryDeviceFinePositioningMethodList")
    ]
    primary_device_pairing_method_list: Annotated[WPT_PairingMethodList, Element("PrimaryDevicePairingMethodList")]
    primary_device_alignment_check_method_list: Annotated[
        WPT_AlignmentCheckMethodList, Element("PrimaryDeviceAlignmentCheckMethodList")
    ]
    natural_offset: Annotated[UnsignedShort, Element("NaturalOffset")]
    vendor_specific_data_container: Annotated[
        tuple[WPT_DataContainerType, ...], Element("VendorSpecificDataContainer", max_occurs=16)
    ] = ()
    lf_system_setup_data: Annotated[WPT_LF_SystemSetupData | None, Element("LF_SystemSetupData")] = None


@global_element(WPT)
class WPT_FinePositioningReq(V2GRequest):
    """A step of positioning, with the vehicle's verdict."""

    ev_processing: Annotated[Processing, Element("EVProcessing")]
    ev_result_code: Annotated[WPT_EVResult, Element("EVResultCode")]
    vendor_specific_data_container: Annotated[
        tuple[WPT_DataContainerType, ...], Element("VendorSpecificDataContainer", max_occurs=16)
    ] = ()
    wpt_lf_data_package_list: Annotated[WPT_LF_DataPackageList | None, Element("WPT_LF_DataPackageList")] = None


@global_element(WPT)
class WPT_FinePositioningRes(V2GResponse):
    """A step of positioning, as the supply device sees it."""

    evse_processing: Annotated[Processing, Element("EVSEProcessing")]
    vendor_specific_data_container: Annotated[
        tuple[WPT_DataContainerType, ...], Element("VendorSpecificDataContainer", max_occurs=16)
    ] = ()
    wpt_lf_data_package_list: Annotated[WPT_LF_DataPackageList | None, Element("WPT_LF_DataPackageList")] = None


# --- pairing --------------------------------------------------------------------------------------------------------


@complex_type(WPT)
class AlternativeSECC:
    """How to reach another SECC: network name, access point (upper-case hex), IPv6 address, port."""

    ssid: Annotated[IdentifierType | None, Element("SSID")] = None
    bssid: Annotated[BSSIDType | None, Element("BSSID")] = None
    ip_address: Annotated[IPAddressType | None, Element("IPAddress")] = None
    port: Annotated[UnsignedShort | None, Element("Port")] = None


@complex_type(WPT)
class AlternativeSECCList:
    """1 to 8 other SECCs, one of which may be at the vehicle's place."""

    alternative_secc: Annotated[tuple[AlternativeSECC, ...], Element("AlternativeSECC", max_occurs=8)]


@global_element(WPT)
class WPT_PairingReq(V2GRequest):
    """A step of pairing, with the code the vehicle has seen."""

    ev_processing: Annotated[Processing, Element("EVProcessing")]
    observed_id_code: Annotated[NumericIDType | None, Element("ObservedIDCode")] = None
    ev_result_code: Annotated[WPT_EVResult, Element("EVResultCode")]
    vendor_specific_data_container: Annotated[
        tuple[WPT_DataContainerType, ...], Element("VendorSpecificDataContainer", max_occurs=16)
    ] = ()


@global_element(WPT)
class WPT_PairingRes(V2GResponse):
    """A step of pairing, with the code the supply device has seen."""

    evse_processing: Annotated[Processing, Element("EVSEProcessing")]
    observed_id_code: Annotated[NumericIDType | None, Element("ObservedIDCode")] = None
    alternative_secc_list: Annotated[AlternativeSECCList | None, Element("AlternativeSECCList")] = None
    vendor_specific_data_container: Annotated[
        tuple[WPT_DataContainerType, ...], Element("VendorSpecificDataContainer", max_occurs=16)
    ] = ()


# --- alignment and parameters ---------------------------------------------------------------------------------------


@global_element(WPT)
class WPT_AlignmentCheckReq(V2GRequest):
    """A step of the alignment check, with the vehicle's verdict."""

    ev_processing: Annotated[Processing, Element("EVProcessing")]
    target_coil_current: Annotated[RationalNumber | None, Element("TargetCoilCurrent")] = None
    ev_result_code: Annotated[WPT_EVResult, Element("EVResultCode")]
    vendor_specific_data_container: Annotated[
        tuple[WPT_DataContainerType, ...], Element("VendorSpecificDataContainer", max_occurs=16)
    ] = ()


@global_element(WPT)
class WPT_AlignmentCheckRes(V2GResponse):
    """A step of the alignment check: the power and current of the supply device."""

    evse_processing: Annotated[Processing, Element("EVSEProcessing")]
    power_transmitted: Annotated[RationalNumber | None, Element("PowerTransmitted")] = None
    supply_device_current: Annotated[RationalNumber | None, Element("SupplyDeviceCurrent")] = None
    vendor_specific_data_container: Annotated[
        tuple[WPT_DataContainerType, ...], Element("VendorSpecificDataContainer", max_occurs=16)
    ] = ()


@global_element(WPT)
class WPT_ChargeParameterDiscoveryReq(ChargeParameterDiscoveryReq):
    """The vehicle's limits. "Clearence" is the schema's spelling."""

    evpc_max_receivable_power: Annotated[RationalNumber, Element("EVPCMaxReceivablePower")]
    sd_max_ground_clearence: Annotated[UnsignedShort, Element("SDMaxGroundClearence")]
    sd_min_ground_clearence: Annotated[UnsignedShort, Element("SDMinGroundClearence")]
    evpc_natural_frequency: Annotated[RationalNumber, Element("EVPCNaturalFrequency")]
    evpc_device_local_control: Annotated[Bool, Element("EVPCDeviceLocalControl")]
    vendor_specific_data_container: Annotated[
        tuple[WPT_DataContainerType, ...], Element("VendorSpecificDataContainer", max_occurs=16)
    ] = ()


@global_element(WPT)
class WPT_ChargeParameterDiscoveryRes(ChargeParameterDiscoveryRes):
    """The supply device's limits."""

    pd_input_power_class: Annotated[WPT_PowerClass, Element("PDInputPowerClass")]
    sd_min_output_power: Annotated[RationalNumber, Element("SDMinOutputPower")]
    sd_max_output_power: Annotated[RationalNumber, Element("SDMaxOutputPower")]
    sd_max_ground_clearance_support: Annotated[UnsignedShort, Element("SDMaxGroundClearanceSupport")]
    sd_min_ground_clearance_support: Annotated[UnsignedShort, Element("SDMinGroundClearanceSupport")]
    pd_min_coil_current: Annotated[RationalNumber, Element("PDMinCoilCurrent")]
    pd_max_coil_current: Annotated[RationalNumber, Element("PDMaxCoilCurrent")]
    sd_manufacturer_specific_data_container: Annotated[
        tuple[WPT_DataContainerType, ...], Element("SDManufacturerSpecificDataContainer", max_occurs=16)
    ] = ()


# --- charge loop ----------------------------------------------------------------------------------------------------


@complex_type(WPT)
class WPT_EVPCPowerControlParameter:
    """Coil current and output of the vehicle's power circuit."""

    evpc_coil_current_request: Annotated[RationalNumber, Element("EVPCCoilCurrentRequest")]
    evpc_coil_current_information: Annotated[RationalNumber, Element("EVPCCoilCurrentInformation")]
    evpc_current_output_information: Annotated[RationalNumber, Element("EVPCCurrentOutputInformation")]
    evpc_voltage_output_information: Annotated[RationalNumber, Element("EVPCVoltageOutputInformation")]


@complex_type(WPT)
class WPT_SPCPowerControlParameter:
    """Coil current of the primary device."""

    spc_primary_device_coil_current_information: Annotated[
        RationalNumber, Element("SPCPrimaryDeviceCoilCurrentInformation")
    ]


@global_element(WPT)
class WPT_ChargeLoopReq(ChargeLoopReq):
    """The power the vehicle wants, and the state of its power circuit."""

    evpc_power_request: Annotated[RationalNumber, Element("EVPCPowerRequest")]
    evpc_power_output: Annotated[RationalNumber, Element("EVPCPowerOutput")]
    evpc_charge_diagnostics: Annotated[WPT_EVPCChargeDiagnostics, Element("EVPCChargeDiagnostics")]
    evpc_operating_frequency: Annotated[RationalNumber | None, Element("EVPCOperatingFrequency")] = None
    evpc_power_control_parameter: Annotated[
        WPT_EVPCPowerControlParameter | None, Element("EVPCPowerControlParameter")
    ] = None
    manufacturer_specific_data_container: Annotated[
        tuple[WPT_DataContainerType, ...], Element("ManufacturerSpecificDataContainer", max_occurs=16)
    ] = ()


@global_element(WPT)
class WPT_ChargeLoopRes(ChargeLoopRes):
    """The power the supply device puts in, its limits and the state of its power circuit."""

    evpc_power_request: Annotated[RationalNumber, Element("EVPCPowerRequest")]
    sd_power_input: Annotated[RationalNumber | None, Element("SDPowerInput")] = None
    spc_max_output_power_limit: Annotated[RationalNumber, Element("SPCMaxOutputPowerLimit")]
    spc_min_output_power_limit: Annotated[RationalNumber, Element("SPCMinOutputPowerLimit")]
    spc_charge_diagnostics: Annotated[WPT_SPCChargeDiagnostics, Element("SPCChargeDiagnostics")]
    spc_operating_frequency: Annotated[RationalNumber | None, Element("SPCOperatingFrequency")] = None
    spc_power_control_parameter: Annotated[WPT_SPCPowerControlParameter | None, Element("SPCPowerControlParameter")] = (
        None
    )
    manufacturer_specific_data_container: Annotated[
        tuple[WPT_DataContainerType, ...], Element("ManufacturerSpecificDataContainer", max_occurs=16)
    ] = ()


SCHEMA = Schema(name="wpt20", namespaces=(WPT, COMMON_TYPES, XMLDSIG))
