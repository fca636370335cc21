include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}

terraform {
  source = "../../../modules//ecs-service"
}

locals {
  # The GitHub App's credentials: put into the Parameter Store by hand, once an account; never in git.
  github_app = "arn:aws:ssm:${include.root.locals.region}:${include.root.locals.env.account_id}:parameter/${include.root.locals.name}/terrateam"
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
  name   = "terrateam"
  region = include.root.locals.region

  cluster_arn             = dependency.ecs_cluster.outputs.cluster_arn
  cluster_name            = dependency.ecs_cluster.outputs.cluster_name
  log_group_name          = dependency.ecs_cluster.outputs.log_group_name
  namespace_id            = dependency.ecs_cluster.outputs.namespace_id
  task_execution_role_arn = dependency.ecs_cluster.outputs.task_execution_role_arn
  task_role_arn           = dependency.ecs_cluster.outputs.task_role_arn
  security_group_ids      = [dependency.ecs_cluster.outputs.tasks_security_group_id]
  subnet_ids              = dependency.vpc.outputs.private_subnet_ids

  # Terrateam documents no other tag; hold it still with a copy in a registry of your own.
  image = "ghcr.io/terrateamio/terrat-oss:latest"
  port  = 8080

  environment = {
    DB_HOST = dependency.rds.outputs.address
    DB_PORT = tostring(dependency.rds.outputs.port)
    DB_NAME = "postgres" # the one that is there from the start
    DB_USER = dependency.rds.outputs.username
  }

  secrets = {
    DB_PASS                  = "${dependency.rds.outputs.master_secret_arn}:password::"
    GITHUB_APP_CLIENT_ID     = "${local.github_app}/github-app-client-id"
    GITHUB_APP_CLIENT_SECRET = "${local.github_app}/github-app-client-secret"
    GITHUB_APP_ID            = "${local.github_app}/github-app-id"
    GITHUB_APP_PEM           = "${local.github_app}/github-app-pem"
    GITHUB_WEBHOOK_SECRET    = "${local.github_app}/github-webhook-secret"
  }

  desired_count = include.root.locals.env.terrateam.desired_count
  cpu           = include.root.locals.env.terrateam.cpu
  memory        = include.root.locals.env.terrateam.memory
}
