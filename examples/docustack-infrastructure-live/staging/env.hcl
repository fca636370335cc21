# Everything in which staging differs from the other environments. Units read it as include.root.locals.env.

locals {
  environment = "staging"
  account_id  = "222222222222"

  vpc = {
    cidr_block         = "10.20.0.0/16"
    availability_zones = 2
    nat_gateways       = 1
  }

  ecs_cluster = {
    container_insights = true
    log_retention_days = 14
  }

  rds = {
    instance_class              = "db.t4g.small"
    allocated_storage           = 20
    max_allocated_storage       = 100
    multi_az                    = false
    backup_retention_days       = 7
    deletion_protection         = false
    secret_recovery_window_days = 7
  }

  temporal = {
    desired_count = 1
    cpu           = 512
    memory        = 1024
  }

  terrateam = {
    desired_count = 1
    cpu           = 256
    memory        = 512
  }
}
