include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}

terraform {
  source = "../../../modules//vpc"
}

inputs = {
  name   = include.root.locals.name
  region = include.root.locals.region

  cidr_block         = include.root.locals.env.vpc.cidr_block
  availability_zones = include.root.locals.env.vpc.availability_zones
  nat_gateways       = include.root.locals.env.vpc.nat_gateways

  gateway_endpoints = ["s3"]
}
