include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}

terraform {
  source = "../../../modules//ecs-service"
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
    cluster_arn             = "arn:aws:ecs:us-east-1:000000000000:cluster/mock"
    cluster_name            = "mock"
    log_group_name          = "/ecs/mock"
    namespace_id            = "ns-mock"
    task_execution_role_arn = "arn:aws:iam::000000000000:role/mock-ecs-task-execution"
    task_role_arn           = "arn:aws:iam::000000000000:role/mock-ecs-task"
    tasks_security_group_id = "sg-mock"
  }
}

dependency "rds" {
  config_path = "../rds"

  mock_outputs_allowed_terraform_commands = include.root.locals.commands_with_mocks
  mock_outputs_merge_strategy_with_state  = "shallow"
  mock_outputs = {
    address           = "mock.rds.invalid"
    port              = 5432
    username          = "mock"
    master_secret_arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:mock"
  }
}

inputs = {
  name   = "temporal"
  region = include.root.locals.region

  cluster_arn             = dependency.ecs_cluster.outputs.cluster_arn
  cluster_name            = dependency.ecs_cluster.outputs.cluster_name
  log_group_name          = dependency.ecs_cluster.outputs.log_group_name
  namespace_id            = dependency.ecs_cluster.outputs.namespace_id
  task_execution_role_arn = dependency.ecs_cluster.outputs.task_execution_role_arn
  task_role_arn           = dependency.ecs_cluster.outputs.task_role_arn
  security_group_ids      = [dependency.ecs_cluster.outputs.tasks_security_group_id]
  subnet_ids              = dependency.vpc.outputs.private_subnet_ids

  # auto-setup makes and migrates its two databases when it starts.
  image = "temporalio/auto-setup:1.29.1"
  port  = 7233

  environment = {
    DB             = "postgres12"
    DB_PORT        = tostring(dependency.rds.outputs.port)
    POSTGRES_SEEDS = dependency.rds.outputs.address
    POSTGRES_USER  = dependency.rds.outputs.username
  }

  secrets = {
    POSTGRES_PWD = "${dependency.rds.outputs.master_secret_arn}:password::"
  }

  desired_count = include.root.locals.env.temporal.desired_count
  cpu           = include.root.locals.env.temporal.cpu
  memory        = include.root.locals.env.temporal.memory
}
