variable "name" {
  description = "Name of the instance and prefix of the names around it."
  type        = string
}

variable "vpc_id" {
  description = "VPC of the instance."
  type        = string
}

variable "vpc_cidr_block" {
  description = "Address range from which the database is reached."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the instance, in two zones at least."
  type        = list(string)
}

variable "engine_version" {
  description = "Version of PostgreSQL."
  type        = string
}

variable "instance_class" {
  description = "Size of the instance."
  type        = string
}

variable "username" {
  description = "Master user."
  type        = string
  default     = "docustack"
}

variable "allocated_storage" {
  description = "Storage at the start, GiB."
  type        = number
}

variable "max_allocated_storage" {
  description = "Storage to which it may grow by itself, GiB."
  type        = number
}

variable "multi_az" {
  description = "Keep a standby in another zone."
  type        = bool
}

variable "backup_retention_days" {
  description = "How long automated backups are kept."
  type        = number
}

variable "deletion_protection" {
  description = "Refuse to delete the instance, and take a final snapshot once that is lifted."
  type        = bool
}

variable "secret_recovery_window_days" {
  description = "How long a deleted password can be restored: 7 to 30, or 0 where the environment is torn down and built again."
  type        = number
}
