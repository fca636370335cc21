variable "allowed_regions" {
  description = "Regions in which the member accounts may work."
  type        = list(string)
}
