"""The query parameters and headers that mean something to OSS, and which of them this server lacks."""

# ruff: noqa: SIM905 - these lists of names read better without a hundred quotes

from __future__ import annotations

from typing import Final

SIGNED_BY_V1: Final = frozenset(
    """
    accessPoint accessPointPolicy acl append asyncFetch bucketArchiveDirectRead bucketInfo callback callback-var
    cleanRestoredObject cloudboxes cname comp continuation-token cors dataPipeline delete encryption endTime group
    httpsConfig inventory inventoryId legalHold lifecycle link live location logging metaQuery objectInfo objectMeta
    objectWorm overwriteConfig partNumber policy policyStatus position publicAccessBlock qos qosInfo qosRequester
    redundancyTransition referer regionList replication replicationLocation replicationProgress requestPayment
    requesterQosInfo resourceGroup resourcePool resourcePoolBuckets resourcePoolInfo response-cache-control
    response-content-disposition response-content-encoding response-content-language response-content-type
    response-expires restore retention rtc seal security-token sequential startTime stat status style styleName
    symlink tagging transferAcceleration uploadId uploads userDefinedLogFieldsConfig versionId versioning versions
    vod website worm wormExtend wormId x-oss-ac-forward-allow x-oss-ac-source-ip x-oss-ac-subnet-mask
    x-oss-ac-vpc-id x-oss-access-point-name x-oss-async-process x-oss-process x-oss-redundancy-transition-taskid
    x-oss-request-payer x-oss-target-redundancy-type x-oss-traffic-limit x-oss-write-get-object-response
    """.split()
)
"""Parameters that are part of a version 1 signature."""

SELECTORS: Final = frozenset(
    """
    acl append bucketInfo delete lifecycle location objectMeta partNumber policy publicAccessBlock symlink tagging
    uploadId uploads versioning versions
    """.split()
)
"""Parameters that choose an operation which this server has."""

PLAIN: Final = frozenset(
    """
    Expires OSSAccessKeyId Signature callback callback-var continuation-token delimiter encoding-type fetch-owner
    key-marker list-type marker max-keys max-parts max-uploads part-number-marker position prefix
    response-cache-control response-content-disposition response-content-encoding response-content-language
    response-content-type response-expires security-token start-after tag-key tag-value upload-id-marker
    version-id-marker versionId
    x-oss-additional-headers x-oss-credential x-oss-date x-oss-expires x-oss-request-payer x-oss-security-token
    x-oss-signature x-oss-signature-version x-oss-traffic-limit
    """.split()
)
"""Parameters that only modify an operation."""

UNKEPT_HEADERS: Final = frozenset(
    """
    x-oss-bypass-governance-retention x-oss-object-worm-legal-hold x-oss-object-worm-mode
    x-oss-object-worm-retain-until-date x-oss-resource-group-id x-oss-worm-id
    """.split()
)
"""Headers that make an object or a bucket into something that this server does not keep."""

UNKEPT_OF_BUCKETS: Final = frozenset(
    """
    x-oss-bucket-tagging x-oss-server-side-data-encryption x-oss-server-side-encryption
    x-oss-server-side-encryption-key-id
    """.split()
)
"""Headers that it keeps of an object, and not of a bucket."""


def unsupported(name: str, value: str) -> bool:
    """
    Whether a parameter asks for something this server lacks: a sub-resource of OSS, or an unknown bare name.

    An unknown name with a value is ignored, as OSS ignores it.
    """
    if name in SELECTORS or name in PLAIN:
        return False
    return name in SIGNED_BY_V1 or not value
