# Everything in which prod differs from the other environments. Units read it as include.root.locals.env.

locals {
  environment = "prod"
  account_id  = "333333333333"

  vpc = {
    cidr_block         = "10.30.0.0/16"
    availability_zones = 3
    nat_gateways       = 3
  }

  ecs_cluster = {
    container_insights = true
    log_retention_days = 90
  }

  rds = {
    instance_class              = "db.m6g.large"
    allocated_storage           = 100
    max_allocated_storage       = 500
    multi_az                    = true
    backup_retention_days       = 30
    deletion_protection         = true
    secret_recovery_window_days = 30
  }

  temporal = {
    desired_count = 2
    cpu           = 1024
    memory        = 2048
  }

  terrateam = {
    desired_count = 1
    cpu           = 512
    memory        = 1024
  }
}
