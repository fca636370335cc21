output "cluster_arn" {
  description = "ARN of the cluster."
  value       = aws_ecs_cluster.main.arn
}

output "cluster_name" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.main.name
}

output "log_group_name" {
  description = "Log group of all services; each has a stream prefix of its own."
  value       = aws_cloudwatch_log_group.services.name
}

output "namespace_id" {
  description = "Private DNS namespace of the services."
  value       = aws_service_discovery_private_dns_namespace.main.id
}

output "placeholder_task_definition_arn" {
  description = "What a service runs until its application is first deployed."
  value       = aws_ecs_task_definition.placeholder.arn
}

output "task_execution_role_arn" {
  description = "Role with which ECS starts tasks."
  value       = aws_iam_role.ecs_task_execution.arn
}

output "task_role_arn" {
  description = "Role of tasks that need nothing of AWS."
  value       = aws_iam_role.ecs_task.arn
}

output "tasks_security_group_id" {
  description = "Security group of the tasks."
  value       = aws_security_group.tasks.id
}
