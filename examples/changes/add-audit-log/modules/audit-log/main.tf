# Where an account's applications write who did what; kept longer than their other logs.

resource "aws_cloudwatch_log_group" "audit" {
  name              = "/${var.name}/audit"
  retention_in_days = var.retention_days
}
