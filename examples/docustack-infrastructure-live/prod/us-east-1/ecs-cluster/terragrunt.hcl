include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}

terraform {
  source = "../../../modules//ecs-cluster"
}

dependency "vpc" {
  config_path = "../vpc"

  mock_outputs_allowed_terraform_commands = include.root.locals.commands_with_mocks
  mock_outputs_merge_strategy_with_state  = "shallow"
  mock_outputs = {
    vpc_id     = "vpc-mock"
    cidr_block = "192.0.2.0/24"
  }
}

inputs = {
  name   = include.root.locals.name
  region = include.root.locals.region

  vpc_id         = dependency.vpc.outputs.vpc_id
  vpc_cidr_block = dependency.vpc.outputs.cidr_block

  service_ports = {
    temporal  = 7233
    terrateam = 8080
  }

  container_insights = include.root.locals.env.ecs_cluster.container_insights
  log_retention_days = include.root.locals.env.ecs_cluster.log_retention_days
}
