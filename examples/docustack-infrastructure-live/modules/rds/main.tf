# A PostgreSQL instance in the private subnets, its password made here and kept in Secrets Manager.

resource "aws_db_subnet_group" "main" {
  name        = var.name
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "PostgreSQL of ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-database" }
}

resource "aws_security_group_rule" "postgresql" {
  description       = "PostgreSQL from within the VPC"
  security_group_id = aws_security_group.database.id
  type              = "ingress"
  protocol          = "tcp"
  from_port         = 5432
  to_port           = 5432
  cidr_blocks       = [var.vpc_cidr_block]
}

resource "aws_secretsmanager_secret" "master" {
  name                    = "${var.name}/rds/master"
  description             = "Master user of the database ${var.name}"
  recovery_window_in_days = var.secret_recovery_window_days
}

# Two random UUIDs, 244 random bits, drawn once: the provider has no password generator before version 5, and its schema
# hides this attribute in every plan. Who changes the secret by hand sets a new password with the next apply. Like any
# password given to aws_db_instance it is also in the state; where the provider has `manage_master_user_password`
# (4.60 and later), that keeps it out.
resource "aws_secretsmanager_secret_version" "master" {
  secret_id     = aws_secretsmanager_secret.master.id
  secret_string = jsonencode({ username = var.username, password = replace("${uuid()}${uuid()}", "-", "") })

  lifecycle {
    ignore_changes = [secret_string]
  }
}

# No database is created with the instance: provider 3 calls the argument `name`, provider 5 knows only `db_name`.
# PostgreSQL has the database `postgres`, and software that wants another creates it.
resource "aws_db_instance" "main" {
  identifier     = var.name
  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance_class

  username = var.username
  password = jsondecode(aws_secretsmanager_secret_version.master.secret_string)["password"]

  storage_type          = "gp2"
  storage_encrypted     = true
  allocated_storage     = var.allocated_storage
  max_allocated_storage = var.max_allocated_storage

  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]
  publicly_accessible    = false
  multi_az               = var.multi_az

  auto_minor_version_upgrade = true
  backup_retention_period    = var.backup_retention_days
  copy_tags_to_snapshot      = true
  deletion_protection        = var.deletion_protection
  skip_final_snapshot        = !var.deletion_protection
  final_snapshot_identifier  = "${var.name}-final"
}
