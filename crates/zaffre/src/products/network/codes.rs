//! Network's own errors.

azure::error_rows! {
    pub(super) static TABLE;
    BAD_NAME = 400 "InvalidResourceName" "Resource name {0} is invalid. The name can be up to 80 characters long. It must begin with a word character, and it must end with a word character or with '_'. The name may contain word characters or '.', '-', '_'.", "quoted in public reports of failed deployments";
    BAD_REFERENCE = 400 "LinkedInvalidPropertyId" "Property id '{0}' is invalid. Expect fully qualified resource Id that start with '/subscriptions/{subscriptionId}' or '/providers/{resourceProviderNamespace}/'.", "general knowledge, unverified";
    REFERENCE_NOT_FOUND = 400 "InvalidResourceReference" "Resource {0} referenced by resource {1} was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.", "quoted by users";
    MISSING_QUERY = 400 "InvalidRequestFormat" "Cannot parse the request: the query parameter {0} is missing or malformed.", "code quoted by users, wording unverified";
    ADDRESS_IN_NO_SUBNET = 400 "PrivateIPAddressNotInAnySubnet" "Private static IP address {0} does not belong to the range of any of the subnets of the virtual network {1}.", "general knowledge, unverified wording";
    BAD_FORMAT = 400 "InvalidRequestFormat" "Cannot parse the request: {0}.", "code quoted by users, wording unverified";
    BAD_PREFIX = 400 "InvalidAddressPrefixFormat" "Address prefix {0} of resource {1} is not formatted correctly. It should follow CIDR notation, for example 10.0.0.0/24.", "quoted by users";
    BAD_NOTATION = 400 "InvalidCIDRNotation" "The address prefix {0} in resource {1} has an invalid CIDR notation. For the given prefix length, the address prefix should be {2}.", "quoted by users";
    NO_PREFIX = 400 "InvalidRequestFormat" "Resource {0} has no address prefix.", "code quoted by users, wording unverified";
    SUBNET_OUTSIDE = 400 "NetcfgInvalidSubnet" "Subnet '{0}' is not valid in virtual network '{1}'.", "quoted by users";
    SUBNETS_OVERLAP = 400 "NetcfgSubnetRangesOverlap" "Subnet '{0}' is not valid because its IP address range overlaps with that of an existing subnet in virtual network '{1}'.", "quoted by users";
    SUBNET_IN_USE = 400 "InUseSubnetCannotBeDeleted" "Subnet {0} is in use by {1} and cannot be deleted. In order to delete the subnet, delete all the resources within the subnet. See aka.ms/deletesubnet.", "resources.md §3 for the code; wording quoted by users";
    SUBNET_FULL = 400 "SubnetIsFull" "Subnet {0} with address prefix {1} does not have enough capacity for {2} IP addresses.", "quoted by users";
    GROUP_IN_USE = 400 "InUseNetworkSecurityGroupCannotBeDeleted" "Network security group {0} cannot be deleted because it is in use by the following resources: {1}. In order to delete the Network security group, remove the association with the resource(s). To learn how to do this, see aka.ms/deletensg.", "quoted by users";
    BAD_RULE = 400 "SecurityRuleInvalidProperty" "Security rule {0} has an invalid value for {1}. Value provided: {2}. Allowed: {3}.", "code and wording unverified";
    BAD_PRIORITY = 400 "SecurityRuleInvalidPriority" "Security rule has invalid Priority. Value provided: {0} Allowed range 100-4096.", "quoted by users";
    BAD_PORTS = 400 "SecurityRuleInvalidPortRange" "Security rule has invalid Port range. Value provided: {0}. Value should be an integer OR integer range with '-' delimiter. Valid range 0-65535.", "quoted by users";
    BAD_ADDRESSES = 400 "SecurityRuleInvalidAddressPrefix" "Security rule has invalid Address prefix. Value provided: {0}.", "quoted by users";
    RULES_CONFLICT = 400 "SecurityRuleConflict" "Security rule {0} conflicts with rule {1}. Rules cannot have the same Priority and Direction.", "quoted by users";
    PUBLIC_IN_USE = 400 "PublicIPAddressCannotBeDeleted" "Public IP address {0} can not be deleted since it is still allocated to resource {1}. In order to delete the public IP, disassociate/detach the Public IP address from the resource. To learn how to do this, see aka.ms/deletepublicip.", "resources.md §3 for the code; wording quoted by users";
    PUBLIC_TAKEN = 400 "PublicIPAddressInUse" "Resource {0} is referencing public IP address {1} that is already allocated to resource {2}.", "quoted by users";
    PUBLIC_EXHAUSTED = 400 "PublicIPCountLimitReached" "Cannot create more than {0} public IP addresses for this subscription in this region.", "quoted by users";
    DNS_TAKEN = 400 "DnsRecordInUse" "DNS record {0} is already used by another public IP.", "quoted by users";
    NO_CONFIGURATION = 400 "InvalidRequestFormat" "Network interface {0} must have one or more IP configurations.", "code quoted by users, wording unverified";
    INTERFACE_IN_USE = 400 "NicInUse" "Network Interface {0} is used by existing resource {1}. In order to delete the network interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic.", "resources.md §3 for the code; wording quoted by users";
    ADDRESS_OUTSIDE = 400 "PrivateIPAddressNotInSubnet" "Private static IP address {0} does not belong to the range of subnet prefix {1}.", "quoted by users";
    ADDRESS_RESERVED = 400 "PrivateIPAddressInReservedRange" "Private static IP address {0} falls within reserved IP range of subnet prefix {1}.", "quoted by users";
    PEERS_OVERLAP = 400 "VnetAddressSpacesOverlap" "Cannot create or update peering {0}. Virtual networks {1} and {2} cannot be peered because their address spaces overlap. Overlapping address prefixes: {3}, {4}.", "quoted by users";
    PEERED_ALREADY = 400 "AnotherPeeringAlreadyReferencesRemoteVnet" "A virtual network cannot have more than one peering referencing the same remote virtual network. Peering {0} cannot be created or updated because another peering {1} already references remote virtual network {2}.", "quoted by users";
    REMOTE_CHANGED = 400 "ChangingRemoteVirtualNetworkNotAllowed" "Changing the remote virtual network of an existing peering {0} is not allowed. Delete the peering and create a new one.", "code quoted by users, wording unverified";
    REMOTE_DISCONNECTED = 400 "RemotePeeringIsDisconnected" "Cannot create or update peering {0} because remote peering {1} referencing parent virtual network {2} is in Disconnected state. Update or re-create the remote peering to get it back to Initiated state. Peering gets Disconnected when remote vnet or remote peering is deleted and re-created.", "quoted by users";
    ADDRESS_TAKEN = 400 "PrivateIPAddressIsAllocated" "IP configuration {0} is using the private IP address {1} which is already allocated to resource {2}.", "quoted by users";
}
