variable "name" {
  description = "Name of the trail."
  type        = string
}

variable "region" {
  description = "Home region of the trail."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket for the records."
  type        = string
}

variable "organization_id" {
  description = "Organization whose accounts are recorded."
  type        = string
}

variable "retention_days" {
  description = "How long the records are kept."
  type        = number
}
