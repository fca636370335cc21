variable "name" {
  description = "Name of the service, and of the host in the cluster's DNS namespace."
  type        = string
}

variable "region" {
  description = "Region of the service."
  type        = string
}

variable "cluster_arn" {
  description = "Cluster on which the service runs."
  type        = string
}

variable "cluster_name" {
  description = "Name of that cluster, prefix of the task definition's family."
  type        = string
}

variable "namespace_id" {
  description = "DNS namespace in which the service is found."
  type        = string
}

variable "log_group_name" {
  description = "Log group for the service's output."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets in which the tasks run."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups of the tasks."
  type        = list(string)
}

variable "task_execution_role_arn" {
  description = "Role with which ECS starts the tasks."
  type        = string
}

variable "task_role_arn" {
  description = "Role of the code in the tasks."
  type        = string
}

variable "image" {
  description = "Container image, with its tag."
  type        = string
}

variable "port" {
  description = "Port on which the service listens."
  type        = number
}

variable "desired_count" {
  description = "How many tasks."
  type        = number
}

variable "cpu" {
  description = "CPU units of a task, 1024 being one core."
  type        = number
}

variable "memory" {
  description = "Memory of a task, MiB."
  type        = number
}

variable "environment" {
  description = "Environment variables of the container."
  type        = map(string)
  default     = {}
}

variable "secrets" {
  description = "Environment variables that ECS fills from Secrets Manager or the Parameter Store: name to ARN."
  type        = map(string)
  default     = {}
}
