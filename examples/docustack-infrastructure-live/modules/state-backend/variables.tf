variable "bucket" {
  description = "Name of the bucket."
  type        = string
}

variable "lock_table" {
  description = "Name of the lock table."
  type        = string
}

variable "require_tls" {
  description = "Refuse access over plain HTTP. Only a simulator of AWS on this machine is a reason for false."
  type        = bool
  default     = true
}

variable "superseded_state_retention_days" {
  description = "How long a state can be gone back to once another has replaced it."
  type        = number
  default     = 365
}
