//! Compute's own errors, each with where it is known from.

azure::error_rows! {
    pub(super) static TABLE;
    INVALID_PARAMETER = 400 "InvalidParameter" "The value of parameter {0} is invalid.", "general knowledge of Compute's errors, unverified wording";
    MISSING_PARAMETER = 400 "InvalidParameter" "Required parameter '{0}' is missing (null).", "quoted by users";
    BAD_NAME = 400 "InvalidParameter" "The entity name '{0}' is invalid according to its validation rule: ^[^_\\W][\\w-._]{0,79}(?<![-.])$.", "documented: troubleshooting shared image galleries; recorded for a data disk's name; here, with this parameter, unverified";
    OUT_OF_RANGE = 400 "InvalidParameter" "The value '{0}' of parameter '{1}' is out of range. The value must be between '{2}' and '{3}', inclusive.", "quoted by users";
    ADMIN_NAME = 400 "InvalidParameter" "The Admin Username specified is not allowed.", "general knowledge of Compute's errors, unverified";
    COMPUTER_NAME = 400 "InvalidParameter" "{0} computer name cannot be more than {1} characters long, be entirely numeric, or contain the following characters: ` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\ | ; : . ' \" , < > / ?.", "general knowledge of Compute's errors, unverified wording";
    CHANGE_NOT_ALLOWED = 409 "PropertyChangeNotAllowed" "Changing property '{0}' is not allowed.", "general knowledge of Compute's errors, unverified";
    ARTIFACT_NOT_FOUND = 404 "NotFound" "Artifact: VMImage was not found.", "general knowledge of Compute's errors, unverified wording";
    SOURCE_NOT_FOUND = 404 "NotFound" "The entity {0} was not found in region {1}.", "code and wording unverified";

    NOT_ALLOWED = 409 "OperationNotAllowed" "Operation '{0}' is not allowed on VM '{1}' since the VM is {2}.", "quoted by users";
    DISK_ATTACHED = 409 "OperationNotAllowed" "Disk {0} is attached to VM {1}.", "quoted by users";
    DISK_TAKEN = 409 "ConflictingUserInput" "Disk '{0}' cannot be attached as the disk is already owned by VM '{1}'.", "quoted by users";
    DISK_EXISTS = 409 "ConflictingUserInput" "Disk {0} already exists in resource group {1}. Only CreateOption.Attach is supported.", "quoted by users";
    DISK_SHRINKS = 400 "BadRequest" "The new disk size is {0} GB, which is less than the existing disk size of {1} GB. Disk size can only be increased.", "code and wording unverified";
    DISK_OF_RUNNING_VM = 409 "OperationNotAllowed" "Cannot resize disk {0} while it is attached to running VM {1}. Resizing a disk of an Azure Virtual Machine requires the virtual machine to be deallocated.", "quoted by users";
    DISK_NOT_OF_VM = 409 "OperationNotAllowed" "Cannot detach disk {0} from VM {1}: it is not attached to it.", "code and wording unverified";
    LUN_TAKEN = 400 "InvalidParameter" "The value {0} of parameter dataDisk.lun is already in use by another data disk of the virtual machine.", "wording unverified";
    TOO_MANY_DISKS = 409 "OperationNotAllowed" "The maximum number of data disks allowed to be attached to a VM of this size is {0}.", "quoted by users";

    SET_HAS_MACHINES = 409 "OperationNotAllowed" "Availability Set {0} cannot be deleted. Before deleting an Availability Set please ensure that it does not contain any VM.", "quoted by users";
    SET_UNMANAGED = 409 "OperationNotAllowed" "Addition of a VM with managed disks to non-managed Availability Set or addition of a VM with blob based disks to managed Availability Set is not supported. Please create an Availability Set with 'managed' property set in order to add a VM with managed disks to it.", "quoted by users";
    NO_SUCH_INSTANCE = 400 "InvalidParameter" "The provided instanceId {0} is not an active Virtual Machine Scale Set VM instanceId.", "quoted by users";
    SOURCE_NOT_GENERALIZED = 409 "OperationNotAllowed" "The source virtual machine {0} must be generalized before an image can be created from it.", "code and wording unverified";

    EXTENSIONS_OF_STOPPED_VM = 409 "OperationNotAllowed" "Cannot modify extensions in the VM when the VM is not running.", "quoted by users";
    NO_POWERSHELL = 409 "OperationNotAllowed" "PowerShell scripts are read by `pwsh`, which '{0}' does not have: guests see this host's programs, so install it here.", "our own";
    TIMED_OUT = 408 "VMExtensionProvisioningTimeout" "The script did not end within {0} seconds and was ended.", "code and wording unverified";

    NOT_RUNNING = 409 "VmNotRunning" "`{0}` is {1}", "our own";
    CANNOT_LEND = 400 "CannotLend" "cannot lend `{0}`: this host has no such path", "our own";
    CANNOT_RUN = 400 "CannotRun" "cannot run `{0}`: {1}", "our own";
}

/// How an operation ends whose machine could not be made to follow.
pub(super) const ALLOCATION_FAILED: &str = "AllocationFailed";
