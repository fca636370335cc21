variable "name" {
  description = "Begins the name of the log group."
  type        = string
}

variable "retention_days" {
  description = "How long an entry is kept."
  type        = number
}
