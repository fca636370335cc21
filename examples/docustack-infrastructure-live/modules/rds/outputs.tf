output "address" {
  description = "Host name of the instance."
  value       = aws_db_instance.main.address
}

output "port" {
  description = "Port of the instance."
  value       = aws_db_instance.main.port
}

output "username" {
  description = "Master user."
  value       = aws_db_instance.main.username
}

output "master_secret_arn" {
  description = "Secret with the keys `username` and `password`: where it is, not what it says."
  value       = aws_secretsmanager_secret.master.arn
}

output "security_group_id" {
  description = "Security group of the instance."
  value       = aws_security_group.database.id
}
