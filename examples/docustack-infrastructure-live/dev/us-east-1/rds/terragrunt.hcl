include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}

terraform {
  source = "../../../modules//rds"
}

dependency "vpc" {
  config_path = "../vpc"

  mock_outputs_allowed_terraform_commands = include.root.locals.commands_with_mocks
  mock_outputs_merge_strategy_with_state  = "shallow"
  mock_outputs = {
    vpc_id             = "vpc-mock"
    cidr_block         = "192.0.2.0/24"
    private_subnet_ids = ["subnet-mock-a", "subnet-mock-b"]
  }
}

inputs = merge(
  {
    name           = include.root.locals.name
    vpc_id         = dependency.vpc.outputs.vpc_id
    vpc_cidr_block = dependency.vpc.outputs.cidr_block
    subnet_ids     = dependency.vpc.outputs.private_subnet_ids
    engine_version = "16.4"
  },
  include.root.locals.env.rds,
)
