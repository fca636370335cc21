include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}

terraform {
  source = "../../../modules//new-service"
}

dependency "vpc" {
  config_path = "../vpc"

  mock_outputs_allowed_terraform_commands = include.root.locals.commands_with_mocks
  mock_outputs_merge_strategy_with_state  = "shallow"
  mock_outputs = {
    private_subnet_ids = ["subnet-mock-a", "subnet-mock-b"]
  }
}

dependency "ecs_cluster" {
  config_path = "../ecs-cluster"

  mock_outputs_allowed_terraform_commands = include.root.locals.commands_with_mocks
  mock_outputs_merge_strategy_with_state  = "shallow"
  mock_outputs = {
    cluster_arn                     = "arn:aws:ecs:us-east-1:000000000000:cluster/mock"
    placeholder_task_definition_arn = "arn:aws:ecs:us-east-1:000000000000:task-definition/mock:1"
    tasks_security_group_id         = "sg-mock"
  }
}

inputs = {
  cluster_arn                     = dependency.ecs_cluster.outputs.cluster_arn
  placeholder_task_definition_arn = dependency.ecs_cluster.outputs.placeholder_task_definition_arn
  subnet_ids                      = dependency.vpc.outputs.private_subnet_ids
  security_group_ids              = [dependency.ecs_cluster.outputs.tasks_security_group_id]

  desired_count = 2
}
