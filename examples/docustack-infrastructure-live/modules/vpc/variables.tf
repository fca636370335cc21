variable "name" {
  description = "Name of the VPC and prefix of the names in it."
  type        = string
}

variable "region" {
  description = "Region of the VPC, part of the names of its endpoints."
  type        = string
}

variable "cidr_block" {
  description = "Address range of the VPC, a /16."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr_block, 0)) && endswith(var.cidr_block, "/16")
    error_message = "The address range must be a /16, such as 10.10.0.0/16."
  }
}

variable "availability_zones" {
  description = "How many availability zones to use; RDS wants at least two."
  type        = number

  validation {
    condition     = var.availability_zones >= 2 && var.availability_zones <= 6
    error_message = "Use two to six availability zones."
  }
}

variable "nat_gateways" {
  description = "How many NAT gateways: one for all, one a zone, or 0 for private subnets that don't reach out."
  type        = number
}

variable "gateway_endpoints" {
  description = "Services reached through a gateway endpoint: s3, dynamodb."
  type        = list(string)
  default     = ["s3"]

  validation {
    condition     = alltrue([for service in var.gateway_endpoints : contains(["s3", "dynamodb"], service)])
    error_message = "Only s3 and dynamodb have gateway endpoints."
  }
}
