# Everything in which dev differs from the other environments. Units read it as include.root.locals.env.

locals {
  environment = "dev"
  account_id  = "111111111111"

  vpc = {
    cidr_block         = "10.10.0.0/16"
    availability_zones = 2
    nat_gateways       = 1
  }

  ecs_cluster = {
    container_insights = false
    log_retention_days = 7
  }

  rds = {
    instance_class              = "db.t4g.micro"
    allocated_storage           = 20
    max_allocated_storage       = 50
    multi_az                    = false
    backup_retention_days       = 1
    deletion_protection         = false
    secret_recovery_window_days = 0
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
