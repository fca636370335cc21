include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}

terraform {
  source = "../../../modules//vpc"
}

# Provider 5 has another word for an address that belongs to a VPC, and the module can't know which provider it gets.
generate "nat_address" {
  path              = "nat_address_override.tf.json"
  if_exists         = "overwrite"
  disable_signature = true

  contents = jsonencode({
    resource = {
      aws_eip = {
        nat = include.root.locals.aws_provider_major < 5 ? { vpc = "true" } : { domain = "vpc" }
      }
    }
  })
}

inputs = {
  name   = include.root.locals.name
  region = include.root.locals.region

  cidr_block         = include.root.locals.env.vpc.cidr_block
  availability_zones = include.root.locals.env.vpc.availability_zones
  nat_gateways       = include.root.locals.env.vpc.nat_gateways

  gateway_endpoints = ["s3", "dynamodb"]
}
